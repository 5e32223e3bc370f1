# "make run", as conf/run: what it prints, that it works, and that nothing is
# left when it ends.  Its ports are fixed, so it gets a network of its own.

use strict;
use warnings;

use Socket;
use Test::More;

use Inlets::Test;

plan skip_all => 'no right to make a network namespace'
    if system('unshare -n true 2>/dev/null') != 0;

plan skip_all => 'sanitizers are not for this' if Inlets::Test::preload();


# This process moves to a network with a loopback interface only.

my %unshare = (x86_64 => 272, aarch64 => 97);
my ($arch) = (POSIX::uname())[4];

plan skip_all => "unshare() on $arch" if !$unshare{$arch};
syscall($unshare{$arch}, 0x40000000) == 0 or die "unshare: $!";     # NEWNET

socket my $any, AF_INET, SOCK_DGRAM, 0 or die "socket: $!";
my $up = pack 'a16 s x22', 'lo', 1;             # IFF_UP
ioctl $any, 0x8914, $up or die "lo: $!";        # SIOCSIFFLAGS


my $t = Inlets::Test->new();

# The programs are those of the build, the state is this test's.

my $build = "$t->{dir}/build";
mkdir $build;
symlink "$Inlets::Test::BUILD/$_", "$build/$_" for qw(modules inlets);

my $number = 0;

sub start {
    my (%env) = @_;
    my $file = "$t->{dir}/run." . ++$number;
    my $pid = spawn('conf/run',
        { stdout => $file, stderr => $file,
          env => { BUILD => $build, NGINX => $Inlets::Test::NGINX,
                   TOKEN => undef, REMOTE => undef, UPSTREAM => undef,
                   NAME => undef, EDGE => undef, %env } },
        'setsid', "$Inlets::Test::TOP/conf/run");
    return { pid => $pid, file => $file };
}

sub said { $t->read_file($_[0]{file}) }

sub ready {
    my ($run) = @_;
    return wait_for { said($run) =~ /Ctrl-C ends it all/ } 30, 'make run';
}

sub ended {
    my ($run) = @_;
    my $status = Inlets::Test::reap($run->{pid}, 20);
    return defined $status ? $status >> 8 : undef;
}

sub ports {
    my @lines = map { split /\n/, $t->read_file("/proc/self/net/$_") }
                    qw(tcp tcp6);
    return join ' ', sort map { / \w+:(\w{4}) \w+:0000 0A / ? hex $1 : () }
                              @lines;
}


# As it is.

my $run = start();
ok(ready($run), 'make run');
like(said($run), qr{^  http://demo\.localhost:8080$}m, 'prints the public URL');
like(said($run), qr{^Forwarding: http://demo\.localhost:8080 -> }m,
     'and what the client says');
like(said($run), qr{curl http://demo\.localhost:8080/}, 'and what to try');
is(ports(), join(' ', 20000 .. 20019, 8080, 8088), 'the ports');

my $r = $t->get('/x', host => 'demo.localhost:8080', port => 8080);
is($r->{status}, 200, 'the page');
like($r->{body}, qr{It works.*http://demo\.localhost:8080/x}s, 'and its words');

# what it says to try next

my $echo = $t->service('echo');
my $tcp = $t->client('client', '-r', '127.0.0.1:8080', '--token-file',
                     "$build/run/token", '-p', 20000, 'tcp', $echo->upstream);
ok($tcp->wait_up(), 'a TCP tunnel to it');

my $visitor = $t->connect(port => 20000);
$visitor->send('hello');
is($visitor->read_exact(5), 'hello', 'which works');
$tcp->stop();

for my $file ('token', 'nginx.conf') {
    is((stat "$build/run/$file")[2] & 077, 0, "$file is private");
}

# a second one

my $second = start(NAME => 'other');
is(ended($second), 1, 'a second one gives up');
like(said($second), qr/port 8080 is taken: end what listens there/, 'and why');
is($t->get('/', host => 'demo.localhost', port => 8080)->{status}, 200,
   'the first goes on');

# Ctrl-C: everyone of the terminal gets the signal

kill '-INT', $run->{pid};
is(ended($run), 0, 'Ctrl-C: exit code');
like(said($run), qr/^ended\n\z/m, 'Ctrl-C: said');
is(ports(), $echo->port, 'nothing listens any more');
unlike(said($run), qr/make run:/, 'no complaint');


# A service of one's own.

my $web = $t->service('http');

$run = start(UPSTREAM => $web->upstream, NAME => 'MyApp');
ok(ready($run), 'UPSTREAM and NAME');
like(said($run), qr{^  http://myapp\.localhost:8080$}m, 'the public URL');
is($t->get('/', host => 'myapp.localhost', port => 8080)->{body}, "it works\n",
   'answers');
is($t->get('/', host => 'demo.localhost', port => 8080)->{status}, 404,
   'and nothing else does');

kill 'TERM', $run->{pid};
is(ended($run), 0, 'SIGTERM: exit code');
unlike(ports(), qr/\b8080\b/, 'nothing listens any more');


# One of both dies.

$run = start();
ready($run);
kill 'TERM', $t->read_file("$build/run/nginx.pid") =~ /(\d+)/;
is(ended($run), 1, 'the edge dies: exit code');
like(said($run), qr/make run: the edge or the client has ended/, 'and why');


# Words that make no sense.

for my $case ([NAME => 'a b', qr/NAME=a b is no host name label/],
              [UPSTREAM => 'host:port', qr/upstream must be port or/],
              [NGINX => '/nonexistent', qr/cannot run/])
{
    my ($name, $value, $regex) = @$case;

    $run = start($name => $value);
    is(ended($run), 1, "$name=$value: exit code");
    like(said($run), $regex, 'and why');
    unlike(ports(), qr/\b8080\b/, 'nothing is left');
}

my $log = $t->read_file("$build/run/error.log");
unlike($log, qr/\[(?:alert|crit|emerg)\]/, 'nothing bad in the log');

$t->finish();
