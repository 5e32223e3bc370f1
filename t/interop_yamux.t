# Our mux towards HashiCorp's own: their library as the client of our edge, and
# as the edge of our client.

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use File::Path qw(make_path);
use Test::More;

use Inlets::Test;
use Inlets::Test::Socket;

use constant MB => 1024 * 1024;

my $source = "$Inlets::Test::TOP/t/interop/yamux_peer.go";
my $library = '/usr/share/gocode/src/github.com/hashicorp/yamux';

chomp(my $go = `command -v go 2>/dev/null`);

plan skip_all => 'no go: install golang-go' if $go eq '';
plan skip_all => 'no golang-github-hashicorp-yamux-dev' if !-d $library;


# Built once; the compiler's cache stays in the build folder.

sub build {
    (my $build = $Inlets::Test::BUILD) =~ s{/asan/?$}{};
    my $dir = "$build/interop";
    my $program = "$dir/yamux_peer";

    make_path($dir);

    if (!-e $program || -M $program > -M $source) {
        local %ENV = (%ENV, GO111MODULE => 'off', GOFLAGS => '',
            GOTOOLCHAIN => 'local', GOPATH => '/usr/share/gocode',
            GOCACHE => "$dir/cache", HOME => $ENV{HOME} || $dir);

        my $output = `cd $dir && $go build -o yamux_peer.$$ $source 2>&1`;

        $? == 0 && rename "$program.$$", $program
            or BAIL_OUT("go build failed:\n$output");
    }

    return $program;
}

my $program = build();


# The same bytes as pattern() of the Go program.

sub pattern {
    my ($n) = @_;
    my $x = 1;
    my @bytes;

    for (1 .. $n) {
        $x = ($x * 1664525 + 1013904223) & 0xffffffff;
        push @bytes, $x >> 24;
    }

    return pack 'C*', @bytes;
}


my $t = Inlets::Test->new(workers => 2);

sub peer {
    my ($name, @arguments) = @_;
    my $file = $t->dir() . "/$name.log";
    my $pid = spawn($name, { stdout => $file, stderr => $file }, $program,
                    @arguments);

    return { pid => $pid, file => $file };
}


sub says {
    my ($peer, $regex, $timeout) = @_;

    return wait_for { $t->read_file($peer->{file}) =~ $regex } $timeout,
        "line $regex";
}


# Their client, our edge.

$t->edge(
    http => 'inlets_wait 1s;',
    stream => 'inlets_wait 1s;',
    connect => 'inlets_heartbeat_interval 2s; inlets_heartbeat_timeout 5s;
                inlets_max_streams 600;',
)->run();

my $peer = peer('client', 'client', '127.0.0.1:' . $t->port(0), $t->secret());
ok(says($peer, qr/^port \d+$/m, 10), 'their client has logged in');
my ($port) = $t->read_file($peer->{file}) =~ /^port (\d+)$/m;


sub open_stream {
    my ($command, %opt) = @_;
    my $s = $t->connect(port => $port, %opt) or die "connect: $!";
    $s->send("$command\n");
    return $s;
}


my $s = open_stream('echo');
$s->send("hello\n");
is($s->read_line(), "hello\n", 'echo');
$s->shutdown();
is($s->read_all(), '', 'ended both ways');

my $data = pattern(5 * MB);
my $answer = length($data) . ' ' . sha1_hex($data) . "\n";

$s = open_stream('collect');
$s->send($data, 60);
$s->shutdown();
is($s->read_all(60), $answer, '5 MB to them, half-closed');

$s = open_stream('source ' . 5 * MB);
is(sha1_hex($s->read_all(60)), sha1_hex($data), '5 MB from them');

$s = open_stream('source 100000000');
my $n = 0;

while (my $got = $s->fill(30)) {
    $n += $got;
    $s->{buffer} = '';
}

is($n, 100_000_000, '100 MB from them');

$s = open_stream('greet');
is($s->read_all(), "hello\n", 'they end first');

$s = open_stream('wait');
$s->read_line();
$s->abort();
ok(says($peer, qr/^waited: connection reset$/m), 'a reset is a reset');

my $held = open_stream('hold');
$held->send($data, 60);
$held->shutdown();
my $stalled = open_stream('source 100000000', rcvbuf => 16384);

my @many = map { open_stream('echo') } 1 .. 400;
$many[$_]->send("stream $_ " . 'x' x ($_ * 50)) for 0 .. $#many;
$_->shutdown() for @many;
is(scalar(grep { $many[$_]->read_all(60)
                 eq "stream $_ " . 'x' x ($_ * 50) } 0 .. $#many), 400,
   '400 streams beside two that stand still');

is($held->read_all(60), $answer, 'the one they did not read is complete');
$n = 0;

while (my $got = $stalled->fill(30)) {
    $n += $got;
    $stalled->{buffer} = '';
}

is($n, 100_000_000, 'so is the one we did not read');

ok(says($peer, qr/^pings answered$/m), 'pings are answered');
unlike($t->read_file($peer->{file}), qr/link ended|\[ERR\]|\[WARN\]/,
       'they have no complaint');

$s = open_stream('go away');
is($s->read_line(), "gone\n", 'they say go away');
$s->close();

$s = $t->connect(port => $port);
$s->send("echo\nhello\n") if $s;
ok(!$s || ($s->ended(10) && !length $s->{buffer}),
   'no stream is opened any more');

$t->mark();
kill 'TERM', $peer->{pid};
Inlets::Test::reap($peer->{pid}, 5);
ok($t->wait_log(qr/tunnel \S+ client \S+ ended/), 'their end ends the tunnel');


# Their edge, our client.

my $service = $t->service(sub {
    my ($s) = @_;
    my $line = $s->read_line(60);
    return if !defined $line;

    my ($command, $n) = split ' ', $line;

    if ($command eq 'echo') {
        $s->send($s->{buffer}, 60);
        $s->{buffer} = '';

        while ($s->fill(60)) {
            $s->send($s->{buffer}, 60) or return;
            $s->{buffer} = '';
        }

    } elsif ($command eq 'collect') {
        my $data = $s->read_exact($n, 60);
        $s->send(length($data) . ' ' . sha1_hex($data) . "\n");

    } elsif ($command eq 'source') {
        my $block = 'x' x 65536;

        for (my $left = $n; $left > 0; $left -= 65536) {
            $s->send($left >= 65536 ? $block : substr($block, 0, $left), 60)
                or return;
        }

    } elsif ($command eq 'greet') {
        $s->send("hello\n");
        $s->shutdown();
        $s->read_all(60);

    } elsif ($command eq 'reset') {
        $s->abort();

    } elsif ($command eq 'hold') {
        select undef, undef, undef, 3;
        $s->read_all(60);
    }
});

my $edge_port = $t->port('their');
$peer = peer('edge', 'edge', "127.0.0.1:$edge_port");
wait_for { $t->connect(port => $edge_port) } 10, 'their edge';

my $client = $t->client({ token => 1 }, 'client', '-r',
    "127.0.0.1:$edge_port", 'tcp', $service->upstream());

ok($client->wait_up(), 'our client has logged in');
ok(says($peer, qr/^done /m, 60), 'their edge is done');

for ($t->read_file($peer->{file}) =~ /^((?:not )?ok .*)$/mg) {
    my ($not, $name) = /^(not )?ok \d+ - (.*)$/;
    ok(!$not, "their edge: $name");
}

unlike($t->read_file($peer->{file}), qr/\[ERR\]|\[WARN\]|panic/,
       'they have no complaint')
    or diag($t->read_file($peer->{file}));
unlike($client->output(), qr/broke the protocol/, 'nor has our client');
is($client->stop(), 0, 'our client ends');

$t->finish();
