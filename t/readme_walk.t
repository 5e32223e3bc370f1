# The first ten minutes: the commands of the README, as they stand there, and
# what it says that a new user sees.
#
# Other than there are: ports (of the default one by the environment); where "make install"
# puts things, without sudo; the modules and the nginx that "inlets server"
# takes; ssh's configuration, user and command, which it doesn't ask for.  What
# "make deps" and "make" do has been done, or this would not run.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();
my $top = $Inlets::Test::TOP;
my $build = $Inlets::Test::BUILD;
my $readme = $t->read_file("$top/README.md");
my $home = $t->dir() . '/home';
my $dest = $t->dir() . '/dest';

mkdir $home;


# [language, text], one after the other.

sub blocks {
    my ($title) = @_;
    my ($section) = $readme =~ /^## \Q$title\E$(.*?)^## /ms;

    return map { [ split /\n/, $_, 2 ] } $section =~ /^```(.*?)^```$/msg;
}


# A program on this machine's PATH, or where servers are.

sub found {
    my ($name) = @_;
    my ($path) = grep { -x } map { "$_/$name" }
                 split(/:/, $ENV{PATH}), '/usr/sbin';

    return $path;
}


# Install: of the steps there are, each is one of the Makefile.

my ($install) = map { $_->[1] } blocks('Install');
my @steps = map { s/\s*#.*//r } split /\n/, $install;

is_deeply(\@steps, ['make deps', 'make', 'sudo make install'], 'install');

my $built_in = Inlets::Test::modules() < 2;
my $path = $build;

SKIP: {
    skip 'linked into nginx', 2 if $built_in;

    my $out = `cd \Q$top\E && make --no-print-directory -o all install \\
               BUILD=\Q$build\E DESTDIR=\Q$dest\E 2>&1`;

    is($?, 0, 'make install') or diag($out);

    $path = "$dest/usr/local/bin";
    ok(-x "$path/inlets", 'the client');
}

my %env = (%{Inlets::Test::nginx_env()}, HOME => $home,
           PATH => "$path:$ENV{PATH}",
           INLETS_NGINX => found($Inlets::Test::NGINX)
                           || $Inlets::Test::NGINX,
           INLETS_MODULES => $built_in ? 'built-in'
                                       : "$dest/usr/lib/nginx/modules");


# What listens at ports 3000 and 22: a web app and, if there is one, sshd.

my $web = $t->service('http');
my $sshd = found('sshd') && found('ssh-keygen') && found('ssh');
my $user = getpwuid($>);
my $ssh_port;

sub start_sshd {
    $ssh_port = Inlets::Test::free_port();

    for my $key (qw(host_key user_key)) {
        system('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f',
               "$home/$key");
    }

    $t->file('home/sshd_config', "ListenAddress 127.0.0.1\nPort $ssh_port\n"
        . "HostKey $home/host_key\nAuthorizedKeysFile $home/user_key.pub\n"
        . "PidFile none\nStrictModes no\nUsePAM no\n"
        . "PasswordAuthentication no\nKbdInteractiveAuthentication no\n");
    $t->file('home/ssh_config', "IdentityFile $home/user_key\n"
        . "IdentitiesOnly yes\nUserKnownHostsFile $home/known_hosts\n"
        . "StrictHostKeyChecking accept-new\nBatchMode yes\n"
        . "ConnectTimeout 20\n");

    # Debian's service makes it, for root
    mkdir '/run/sshd', 0755 if $> == 0;

    my $pid = spawn('sshd', { stdout => "$home/sshd.log",
                              stderr => "$home/sshd.log" },
                    found('sshd'), '-D', '-e', '-f', "$home/sshd_config");

    return wait_for {
        IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ssh_port")
    } 10, 'sshd';
}

if ($sshd && !start_sshd()) {
    diag($t->read_file("$home/sshd.log"));
    $sshd = undef;
}

if (!$sshd) {
    diag('no sshd: a service that greets like it stands in');
    $ssh_port = $t->service(sub {
        my ($connection) = @_;
        $connection->send("SSH-2.0-none\r\n");
        $connection->shutdown();
        $connection->read_all();
    })->port();
}


# The commands, with ports that are free here.

my $tcp = Inlets::Test::free_port(100);
my %ports = (8080 => Inlets::Test::free_port(),
             8443 => Inlets::Test::free_port(), 3000 => $web->port(),
             22 => $ssh_port, map { (20000 + $_ => $tcp + $_) } 0 .. 99);

# the default
$env{INLETS_SERVER_PORT} = $ports{8080};

sub here {
    my ($text) = @_;

    # no part of a name, a longer number or an option
    $text =~ s/(?<![\w.-])(\d+)(?![\w.])/$ports{$1} || $1/ge;
    $text =~ s/(?<=\d-)(\d{5})\b/$ports{$1} || $1/ge;
    $text =~ s/^ssh /ssh -F $home\/ssh_config /;
    $text =~ s/\byou@(\S+)/$user\@$1 echo hello there/;

    return $text;
}


my (@running, $last);

# A program that goes on is up when it has said so.

sub start {
    my ($command) = @_;
    my $program = $t->client({ program => found('bash'), no_valgrind => 1,
                               env => { %env, TOKEN => undef } },
                             '-c', "cd \Q$home\E && exec $command");

    push @running, $program;
    ok($program->wait_output(qr/^(?:Listening|Forwarding): /m, 30), $command)
        or diag($program->output());

    return $program;
}


sub type {
    my ($command) = @_;

    return start($command) if $command =~ /^inlets /;

    if ($command =~ /^ssh / && !$sshd) {
        my ($port) = $command =~ /-p (\d+)/;
        is($t->connect(port => $port)->read_all(), "SSH-2.0-none\r\n",
           "instead of: $command");
        return;
    }

    my $out = "$home/typed.out";
    unlink $out;

    my $pid = spawn($command, { stdout => $out, stderr => "$home/typed.err",
                                dir => $home, env => { HOME => $home } },
                    'bash', '-c', $command);
    my $status = Inlets::Test::reap($pid, 60);

    is($status, 0, $command) or diag($t->read_file("$home/typed.err"));

    is($t->read_file($out), "it works\n", 'the page of the app')
        if $command =~ /^curl /;
    is($t->read_file($out), "hello there\n", 'the other machine')
        if $command =~ /^ssh /;

    return;
}


my @walk = blocks('Ten minutes');

cmp_ok(scalar @walk, '>', 8, 'there is something to try');

for my $block (@walk) {
    my ($language, $text) = @$block;

    $text = here($text);

    if ($language eq '') {
        $text =~ s/\s+\z//;
        like($last->output(), qr/^\Q$text\E$/m, "it says: $text");
        next;
    }

    $text =~ s/ \\\n\s*/ /g;
    $last = type($_) || $last for split /\n/, $text;
}

is(scalar @running, 5, 'programs');

for my $program (reverse @running) {
    $program->signal('INT');
    is($program->wait_exit(30), 0, 'Ctrl-C');
}

$t->finish();
