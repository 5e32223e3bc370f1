# inlets forward: a TCP forwarder.

use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_RCVBUF MSG_OOB);
use Test::More;
use Time::HiRes qw(time sleep);

use Inlets::Test;

my $t = Inlets::Test->new();
my $program = "$Inlets::Test::BUILD/inlets";
my $any = '127.0.0.1';

my %without = map { $_ => undef }
    map { "INLETS_$_" } qw(FORWARD_SOURCE FORWARD_TARGET MAX_CONNECTIONS
                           CONNECT_TIMEOUT IDLE_TIMEOUT NO_SPLICE GRACE
                           LOG_LEVEL LOG_UTC);


# A forwarder to the service; opt: source => text, env => {...}, preload.

sub forward {
    my ($opt, $target, @flags) = @_;
    my $port = Inlets::Test::free_port();
    my $source = ($opt->{source} || $any) . ":$port";

    $target = $target->upstream() if ref $target;

    my $client = Inlets::Test::Client->new($t,
        { env => { %without, %{$opt->{env} || {}} } },
        'forward', '-s', $source, '-t', $target, @flags);

    push @{$t->{clients}}, $client;
    $client->wait_up() or diag($client->output());
    $client->{listen} = $port;

    return $client;
}


sub visit {
    my ($forward, %opt) = @_;
    return Inlets::Test::Socket->connect(port => $forward->{listen}, %opt);
}


# Where the target refuses, the reset may be as quick as to be met by connect().

sub visit_in_vain {
    return visit(@_) || ($!{ECONNRESET} ? Inlets::Test::Socket->gone() : undef);
}


# Processor time, in ticks.

sub ticks {
    my ($client) = @_;
    my $text = $t->read_file("/proc/" . $client->pid() . '/stat');

    $text =~ s/.*\) //s;

    return (split ' ', $text)[11] + (split ' ', $text)[12];
}

sub rests {
    my ($client) = @_;
    my $before = ticks($client);

    sleep 0.5;

    return ticks($client) - $before <= 10;
}


# Runs it to its end.

sub inlets {
    my ($out, $err) = map { "$t->{dir}/run.$_" } qw(out err);

    unlink $out, $err;

    my $pid = spawn('inlets', { stdout => $out, stderr => $err,
                                env => { %without } }, $program, @_);
    my $status = Inlets::Test::reap($pid, 10);

    if (!defined $status) {
        kill 'KILL', $pid;
        Inlets::Test::reap($pid, 5);
        return (-1, 'it did not end', '');
    }

    return ($status >> 8, $t->read_file('run.out'), $t->read_file('run.err'));
}


sub wrong {
    my ($name, $regex, @arguments) = @_;
    my ($code, $out, $err) = inlets('forward', @arguments);

    is($code, 1, "$name: exit code");
    like($err, qr/\AError: [^\n]*$regex[^\n]*\n\z/, "$name: one line says why");
    is($out, '', "$name: nothing on standard output");
}


# The command line.

for my $words ([], ['--help'], ['-h']) {
    my ($code, $out, $err) = inlets('forward', @$words);

    is("$code $err", '0 ', "forward @$words: exit code");

    for my $text ('-s, --source', '-t, --target', '--max-connections',
                  '--connect-timeout', '--idle-timeout', '--grace',
                  '--no-splice', 'default 1024')
    {
        ok(index($out, $text) >= 0, "forward @$words: help has $text");
    }

    is(join("\n", grep { length > 80 } split /\n/, $out), '',
       "forward @$words: lines of 80 columns");
}

like((inlets('--help'))[1], qr/inlets forward \[flags\]/, 'in the main help');

wrong('no source', '--source is missing', '-t', '1');
wrong('no target', '--target is missing', '-s', ':1');
wrong('source', 'source must be host:port', '-s', 'x', '-t', '1');
wrong('source port', 'source must be host:port', '-s', ':65536', '-t', '1');
wrong('source v6', 'source must be host:port', '-s', '::1:80', '-t', '1');
wrong('source URL', 'source must be host:port', '-s', 'http://a:1', '-t', '1');
wrong('long source', 'too long', '-s', ':' . '1' x 300, '-t', '1');
wrong('target', 'target must be host:port', '-s', ':1', '-t', 'a:b');
wrong('word', 'unexpected argument "x"', '-s', ':1', '-t', '2', 'x');
wrong('flag', 'unknown option --nope, see inlets forward', '--nope');
wrong('number', '--max-connections must be a number from 1',
      '-s', ':1', '-t', '2', '--max-connections', '0');
wrong('log level', '--log-level must be error', '-s', ':1', '-t', '2',
      '--log-level', 'loud');

my $held = $t->listener();

wrong('port in use', 'cannot listen on 127.0.0.1:' . $held->port()
      . ': the port is in use', '-s', $held->upstream(), '-t', '1');
wrong('address', 'cannot listen on 192.0.2.1:9: this machine does not have',
      '-s', '192.0.2.1:9', '-t', '1');
wrong('name', 'cannot listen on no-such-name.invalid:9: ',
      '-s', 'no-such-name.invalid:9', '-t', '1');

SKIP: {
    skip 'root may', 3 if $> == 0;
    wrong('low port', 'not permitted', '-s', '127.0.0.1:1', '-t', '1');
}


# Both ways, whole and half-closed, spliced and copied.

my $collect = $t->service('collect');
my $greet = $t->service('greet');
my $data = Inlets::Test::Service::pattern(3_000_000);

for my $flag ('', '--no-splice') {
    my @flags = grep { length } $flag;
    my $f = forward({}, $collect, @flags);
    my ($to, $back) = (0, 0);

    for my $n (0, 1, 4095, 65536, 65537, 3_000_000) {
        my $v = visit($f);

        $v->send(substr($data, 0, $n), 60);
        $v->shutdown();

        ok($v->read_all(60) eq substr($data, 0, $n), "$n bytes $flag");
        ok(!$v->reset_seen(), "$n bytes, no reset $flag");

        $to += $n;
    }

    my $v = visit($f);
    $v->send_slowly('slowly', 1, 0.002);
    $v->shutdown();
    is($v->read_all(), 'slowly', "byte by byte $flag");

    is($f->stop(), 0, "exit code $flag");
    $to += 6;
    like($f->output(), qr/^Forwarded: 7 connections, 0 failed; $to bytes to /m,
         "counts $flag");
    like($f->output(), qr/ to the target, $to bytes back$/m, "and back $flag");
}

my $f = forward({ source => 'localhost' }, $greet);
my $v = visit($f);

is($v->read_all(), "hello\n", 'the target ends its half first');
$v->send('abc');
$v->shutdown();
wait_for { $t->read_file($greet->{log}) =~ /^got 3 /m } 10, 'the other half';
like($t->read_file($greet->{log}), qr/^got 3 /m, 'the visitor goes on');
$f->stop();


# Addresses.

SKIP: {
    skip 'no IPv6', 4 if !-e '/proc/net/if_inet6'
                         || $t->read_file('/proc/net/if_inet6') !~ / lo$/m;

    my $echo6 = $t->service('echo', 'ipv6');

    for my $case ([ '[::1]', '::1' ], [ '', '::1' ], [ '', '127.0.0.1' ]) {
        $f = forward({ source => $case->[0] || 'any' }, $echo6)
            if $case->[0];
        $f = do {
            my $port = Inlets::Test::free_port();
            my $c = Inlets::Test::Client->new($t, { env => { %without } },
                'forward', '-s', ":$port", '-t', $echo6->upstream());

            push @{$t->{clients}}, $c;
            $c->wait_up();
            $c->{listen} = $port;
            $c;
        } if !$case->[0];

        $v = visit($f, address => $case->[1]);
        ok($v, "$case->[0]: connected to $case->[1]");
        $v->send('six') if $v;
        is($v ? $v->read_exact(3) : '', 'six', "$case->[0]: $case->[1]");
        $f->stop();
    }
}

my $echo = $t->service('echo');

$f = forward({ env => { INLETS_IDLE_TIMEOUT => 600 } },
             'localhost:' . $echo->port());
$v = visit($f);
$v->send('name');
is($v->read_exact(4), 'name', 'a target by name');

my $start = time();
ok($v->ended(10), 'idle timeout');
ok($v->reset_seen(), 'idle: reset');
ok(time() - $start >= 0.5, 'idle: not before its time');

$v = visit($f);
for (1 .. 4) {
    sleep 0.25;
    $v->send('x');
    $v->read_exact(1);
}
ok($v->silent(0.1), 'not idle');
$f->stop();


# A target that can't be reached.

my $closed = $t->service('closed');

$f = forward({}, $closed);
$v = visit_in_vain($f);
ok($v->ended(), 'refused: the visitor is gone');
ok($v->reset_seen(), 'refused: by a reset');
$f->stop();

my @lines = $f->output() =~ /^.*Connection refused$/mg;
is(scalar @lines, 1, 'refused: one line');
like($lines[0], qr/error:[ ]127\.0\.0\.1:\d+:[ ]cannot[ ]connect[ ]to
                   [ ]127\.0\.0\.1:${\ $closed->port()}:/x,
     'refused: who and where');
like($f->output(), qr/^Forwarded: 1 connection, 1 failed; 0 bytes/m,
     'refused: counted');

$f = forward({}, 'no-such-name.invalid:80');
$v = visit_in_vain($f);
ok($v->ended(), 'an unknown name');
$f->stop();
like($f->output(), qr/cannot connect to no-such-name\.invalid:80: /,
     'an unknown name: said');

{
    my $port = Inlets::Test::free_port();
    my $full = IO::Socket::IP->new(LocalHost => '127.0.0.1',
        LocalPort => $port, Listen => 1, ReuseAddr => 1) or die;
    my @waiting;

    # until nobody gets in any more

    for (1 .. 20) {
        push @waiting, IO::Socket::IP->new(PeerHost => '127.0.0.1',
            PeerPort => $port, Timeout => 0.2) || last;
    }

    $f = forward({}, "127.0.0.1:$port", '--connect-timeout', 400);
    $v = visit($f);
    ok($v->ended(10), 'connecting takes too long');
    $f->stop();
    like($f->output(), qr/cannot connect to 127\S+: Connection timed out/,
         'connecting takes too long: said');
}

# To itself, by any of this machine's addresses.

my ($own) = grep { /^[\d.]+$/ } split ' ', `hostname -I 2>/dev/null`;

for my $address ('localhost', '127.0.0.2', $own || ()) {
    my $port = Inlets::Test::free_port();
    my $c = Inlets::Test::Client->new($t, { env => { %without } }, 'forward',
        '-s', ":$port", '-t', "$address:$port");

    push @{$t->{clients}}, $c;
    $c->wait_up();
    $v = visit_in_vain({ listen => $port });
    ok($v->ended(), "a forwarder to itself at $address");
    $c->stop();
    like($c->output(), qr/that is this forwarder itself\n(?:.*\n)*Forwarded: 1 conn/,
         'no endless chain');
}


# Resets are passed on.

my $origin = $t->listener();

$f = forward({}, $origin, '--log-level', 'debug');
$v = visit($f);
$v->send('x');

my $o = $origin->accept();
$o->read_exact(1);
$v->abort();
ok($o->ended(), 'the visitor resets');
ok($o->reset_seen(), 'the target is reset');

$v = visit($f);
$o = $origin->accept();
$o->abort();
ok($v->ended(), 'the target resets');
ok($v->reset_seen(), 'the visitor is reset');

# with both directions stalled

$v = visit($f);
$o = $origin->accept();
$v->fh()->blocking(0);
$o->fh()->blocking(0);

for my $s ($v, $o) {
    my $last = time();

    while (time() - $last < 0.5) {
        $last = time() if syswrite $s->fh(), $data, 65536;
        sleep 0.01 if $!{EAGAIN};
    }
}

ok(rests($f), 'both sides stalled: no processor time');
$v->abort();
ok($o->wait_buffer(sub { $o->{reset} }, 10) || $o->reset_seen(),
   'the visitor resets a stalled connection');

# urgent data

$v = visit($f);
$o = $origin->accept();
$v->send(substr $data, 0, 200_000);
CORE::send $v->fh(), '!', MSG_OOB;
$v->send('after');
is(length $o->read_exact(200_005), 200_005, 'urgent data is left out');
CORE::send $v->fh(), '!', MSG_OOB;
ok(rests($f), 'urgent data: no processor time');
$v->close();
$f->stop();


# Who is slow stalls only himself.

my $hang = $t->listener();

$f = forward({}, $hang);

my $resident = $f->resident();
my @slow = map { visit($f) } 1 .. 20;

for my $slow (@slow) {
    $slow->fh()->blocking(0);
    for (1 .. 400) {
        syswrite $slow->fh(), $data, 65536 or select undef, undef, undef, 0.002;
    }
}

my @ends = map { $hang->accept() } @slow;

$v = visit($f);
$o = $hang->accept();
$v->send('quick');
is($o->read_exact(5, 5), 'quick', 'a quick visitor beside 20 stalled ones');
cmp_ok($f->resident() - $resident, '<', 20_000_000, 'memory is bounded');
ok(rests($f), 'stalled: no processor time');
$_->close() for @slow, @ends;
$f->stop();


# As many as allowed.

$f = forward({}, $echo, '--max-connections', 2);

my @both = map { visit($f) } 1, 2;

for my $s (@both) {
    $s->send('in');
    is($s->read_exact(2), 'in', 'within the limit');
}

$v = visit($f);
$v->send('waiting');
ok($v->silent(0.3), 'over the limit: waits');
ok(rests($f), 'over the limit: no processor time');
$both[0]->close();
is($v->read_exact(7), 'waiting', 'and then gets through');
$v->close();
$both[1]->close();
$f->stop();
@lines = $f->output() =~ /as many as --max-connections allows/g;
is(scalar @lines, 1, 'over the limit: said once');


# No descriptors.

SKIP: {
    skip 'no prlimit', 4 if !-x '/usr/bin/prlimit';
    skip 'valgrind has descriptors of its own', 4 if $ENV{INLETS_VALGRIND};

    $f = forward({}, $echo);
    my $v1 = visit($f);
    $v1->send('1');
    $v1->read_exact(1);

    my $pid = $f->pid();
    my $free = 0;

    $free++ while -l "/proc/$pid/fd/$free";
    system "/usr/bin/prlimit --pid $pid --nofile=$free:";

    my $v2 = visit($f);
    $v2->send('2');
    ok($v2->silent(0.3), 'no descriptors: waits');
    ok(rests($f), 'no descriptors: no processor time');
    system "/usr/bin/prlimit --pid $pid --nofile=1000:";
    is($v2->read_exact(1), '2', 'and then gets through');
    $f->stop();
    like($f->output(), qr/new connections have to wait: Too many open files/,
         'no descriptors: said');
}


# The end.

$f = forward({}, $origin);
$v = visit($f);
$o = $origin->accept();
$f->signal('TERM');
$f->wait_output(qr/SIGTERM: shutting down, 1 connection open/);
is(visit($f), undef, 'SIGTERM: nobody comes in');
$v->send('still');
is($o->read_exact(5), 'still', 'SIGTERM: connections may finish');
ok($f->alive(), 'SIGTERM: waits for them');
$v->shutdown();
$o->shutdown();
is($f->wait_exit(), 0, 'SIGTERM: ends with the last of them');
like($f->output(), qr/^Forwarded: 1 connection, 0 failed; 5 bytes/m,
     'SIGTERM: counts');

$f = forward({}, $origin, '--grace', 300);
$v = visit($f);
$o = $origin->accept();
$f->signal('INT');
is($f->wait_exit(), 0, 'SIGINT: the grace period ends it');
ok($v->ended() && $v->reset_seen(), 'and resets the rest');
like($f->output(), qr/the grace period is over: 1 connection is cut/, 'said');

$f = forward({}, $origin, '--grace', 100000);
$v = visit($f);
$o = $origin->accept();
$f->signal('TERM');
$f->wait_output(qr/shutting down/);
$f->signal('TERM');
is($f->wait_exit(), 0, 'a second SIGTERM ends at once');
ok($o->ended() && $o->reset_seen(), 'and resets the rest');


# A kernel that splices from sockets and not to them, or not at all.

SKIP: {
    skip 'needs a plain build', 4
        if $ENV{INLETS_VALGRIND} || $Inlets::Test::BUILD =~ m{/asan/?$};

    $t->file('splice.c', <<'END');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t
splice(int in, long *in_off, int out, long *out_off, size_t len, unsigned flags)
{
    static ssize_t  (*real)(int, long *, int, long *, size_t, unsigned);
    static long       left = -1;
    struct stat       st;

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "splice");
        left = atol(getenv("SPLICES"));
    }

    if (fstat(out, &st) == 0 && S_ISSOCK(st.st_mode) && left-- <= 0) {
        errno = EINVAL;
        return -1;
    }

    if (S_ISFIFO(st.st_mode) && left < 0) {
        errno = EINVAL;
        return -1;
    }

    return real(in, in_off, out, out_off, len, flags);
}
END

    my $shim = "$t->{dir}/splice.so";
    skip 'no compiler', 4
        if system("cc -shared -fPIC -w -o $shim $t->{dir}/splice.c -ldl") != 0;

    for my $splices (-1, 0, 3) {
        $f = forward({ env => { LD_PRELOAD => $shim, SPLICES => $splices } },
                     $collect);
        $v = visit($f);
        $v->send($data, 60);
        $v->shutdown();
        ok($v->read_all(60) eq $data, "splice() fails after $splices");
        is($f->stop(), 0, "splice() fails after $splices: exit code");
    }
}

$t->finish();
