use strict;
use warnings;

# Bandwidth limits: bytes are paced, over all workers, both ways, for TCP and
# HTTP alike.  What moves in a while is at most a second's worth more than the
# rate; the other bound is wide, since this machine may be busy.

use Digest::SHA qw(sha1_hex);
use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;
use Inlets::Test::Service;

my $KIB = 1024;
my $MIB = 1024 * 1024;

my $t = Inlets::Test->new(workers => 4);


# By client id or "global", in bytes per second, both ways.

sub settings {
    my (%limit) = @_;
    my $global = delete $limit{global};
    my $text = "clients:\n";

    for my $id (qw(slow free)) {
        $text .= "  - clientId: $id\n    clientSecret: secret\n";
        $text .= "    bandwidthLimit: {upload: $limit{$id}, "
                 . "download: $limit{$id}}\n" if $limit{$id};
    }

    $text .= "bandwidthLimits: {global: {upload: $global, "
             . "download: $global}}\n" if $global;

    return $t->file('server.yml', $text);
}


my $rate = 256 * $KIB;
my $file = settings(slow => $rate);

$t->edge(
    listen => 'listen 127.0.0.1:%%PORT_0%% reuseport;',
    token => "inlets_config $file;",
    server => 'location = /_/status { inlets_status edge; }',
    tcp_server => 'access_log off;',
    stream => <<'END',
    server {
        listen 127.0.0.1:%%PORT_hasty%% reuseport;
        inlets_timeout 300ms;
        inlets_tunnel edge;
    }
END
)->run();


sub tunnel {
    my ($id, $type, $service, @arguments) = @_;
    return $t->tunnel($type, $service->upstream(), '--credentials',
                      "$id:secret", @arguments);
}


# Runs something that moves so many bytes; the rate holds.

sub paced {
    my ($name, $limit, $bytes, $code) = @_;
    my $start = time();
    my $ok = $code->();
    my $took = time() - $start;
    my $least = $bytes / $limit - 1;

    ok($ok, "$name: complete");
    cmp_ok($took, '>=', $least * 0.95 - 0.1, "$name: not faster");
    cmp_ok($took, '<', $least * 1.3 + 3, "$name: not much slower");
}


# A second without traffic, after which there is a burst again.

sub rest {
    select undef, undef, undef, 1.05;
}


sub limits_are {
    my ($id, $limit) = @_;
    my $pattern = $id eq 'global' ? qr/"global":\{[^}]*?/
                  : qr/"clientId":"$id","tunnels":\d+,/;

    return wait_for { $t->get('/_/status')->{body}
                      =~ /$pattern"limit":\{"upload":$limit,/ } 5,
                      "limit $limit of $id";
}


sub cpu {
    my $sum = 0;

    for my $pid ($t->workers()) {
        open my $fh, '<', "/proc/$pid/stat" or next;
        my @field = split ' ', (split /\) /, scalar <$fh>)[1];
        $sum += $field[11] + $field[12];
    }

    return $sum / 100;
}


my $size = 640 * $KIB;      # a burst and a second and a half

my $source = $t->service('source', 16 * $MIB);
my $sink = $t->service('sink');
my $web = $t->service('http');

my $down = tunnel('slow', 'tcp', $source, '-p', $t->port('tcp'));
my $up = tunnel('slow', 'tcp', $sink, '-p', $t->port('tcp') + 1);
my $http = tunnel('slow', 'http', $web, '-s', 'slow');
my $free = tunnel('free', 'tcp', $source, '-p', $t->port('tcp') + 2);

ok(limits_are('slow', $rate), 'the limit is told');
ok(limits_are('free', 0), 'and that another has none');

# One stream.

my $cpu = cpu();

paced('TCP down', $rate, $size, sub {
    my $visitor = $t->connect(port => $down->port());
    my $data = $visitor->read_exact($size, 60);
    $visitor->abort();
    return $data eq Inlets::Test::Service::pattern($size);
});

cmp_ok(cpu() - $cpu, '<', 0.75, 'and no CPU is burnt meanwhile');

paced('TCP up', $rate, $size, sub {
    my $visitor = $t->connect(port => $up->port());
    $visitor->send(Inlets::Test::Service::pattern($size), 60);
    $visitor->shutdown();
    return $visitor->read_all(60) eq "$size\n";
});

rest();

paced('HTTP down', $rate, $size, sub {
    my $answer = $t->get("/bytes?n=$size", host => 'slow.example.com',
                         timeout => 60);
    return $answer->{body} eq Inlets::Test::Service::pattern($size);
});

paced('HTTP up', $rate, $size, sub {
    my $body = Inlets::Test::Service::pattern($size);
    my $answer = $t->request('POST', '/post', host => 'slow.example.com',
                             body => $body, timeout => 60);
    return $answer->{status} == 200 && $answer->{body} =~ sha1_hex($body);
});

# Twenty, on all workers, some through trunks; and others have their way.

sub read_twenty {
    my ($bytes, $meanwhile) = @_;
    my @visitors = map { $t->connect(port => $down->port()) } 1 .. 20;
    my $good = 0;

    $meanwhile->() if $meanwhile;

    for my $visitor (@visitors) {
        my $data = $visitor->read_exact($bytes, 60);
        $good++ if $data eq Inlets::Test::Service::pattern($bytes);
    }

    # read here for the count: more may have been passed on already

    $_->abort() for @visitors;
    return $good == 20;
}


sub free_is_quick {
    my $visitor = $t->connect(port => $free->port());
    my $start = time();
    my $data = $visitor->read_exact(16 * $MIB, 60);

    cmp_ok(time() - $start, '<', 8, 'another client is not held up');
    is(length $data, 16 * $MIB, 'by it');
}


rest();
paced('20 streams', $rate, $size, sub { read_twenty($size / 20) });
rest();

my $start = time();
ok(read_twenty($size / 20, \&free_is_quick), '20 streams beside another');
cmp_ok(time() - $start, '<', 15, 'in bearable time');

# A small thing of the limited client gets its turn among large ones.

my @large = map { $t->connect(port => $down->port()) } 1 .. 5;
$_->read_exact(1000, 30) for @large;
$start = time();
is($t->get('/', host => 'slow.example.com')->{status}, 200,
   'a small request among large downloads');
cmp_ok(time() - $start, '<', 5, 'does not wait for their end');
$_->abort() for @large;

# Who waits for bandwidth is not idle.

settings(slow => 2 * $KIB);
ok(limits_are('slow', 2 * $KIB), 'a very low limit');

my $hasty = tunnel('slow', 'tcp', $source, '-p', $t->port('hasty'));
my @hasty = map { $t->connect(port => $hasty->port()) } 1 .. 16;

is(scalar(grep { length $_->read_exact(350, 30) == 350 } @hasty), 16,
   'streams that wait longer than inlets_timeout');
$_->abort() for @hasty;
$hasty->stop();

# A change of the file acts at once, also on what is waiting.

settings(slow => 16 * $KIB);
ok(limits_are('slow', 16 * $KIB), 'a lower limit');

my $visitor = $t->connect(port => $down->port());
$visitor->read_exact(17 * $KIB, 30);
settings(slow => 200 * $MIB);
ok(limits_are('slow', 200 * $MIB), 'a higher limit');
$start = time();
is(length $visitor->read_exact(8 * $MIB, 60), 8 * $MIB,
   'a stream that was waiting goes on');
cmp_ok(time() - $start, '<', 10, 'at once');
$visitor->abort();

settings(slow => 16 * $KIB);
ok(limits_are('slow', 16 * $KIB), 'a lower limit again');
$visitor = $t->connect(port => $down->port());
$visitor->read_exact(17 * $KIB, 30);
settings();
ok(limits_are('slow', 0), 'the limit is taken away');
$start = time();
is(length $visitor->read_exact(8 * $MIB, 60), 8 * $MIB,
   'a stream that was waiting goes on');
cmp_ok(time() - $start, '<', 10, 'at once');
$visitor->abort();

# For all together.

settings(global => $rate);
ok(limits_are('global', $rate), 'a global limit');

paced('two clients', $rate, 2 * $size, sub {
    my @visitors = map { $t->connect(port => $_->port()) } $down, $free;
    my $good = grep { length $_->read_exact($size, 60) == $size } @visitors;
    $_->abort() for @visitors;
    return $good == 2;
});

# The lower of both holds.

settings(global => 100 * $MIB, slow => $rate);
ok(limits_are('slow', $rate), 'a limit below the global one');
rest();

# It is kept over a reload.

ok($t->reload(), 'reload');
ok(limits_are('slow', $rate), 'the limit after it');

paced('after a reload', $rate, $size, sub {
    my $data;

    # the client's ports move to the new workers

    wait_for {
        my $v = $t->connect(port => $down->port());
        $data = $v ? $v->read_exact($size, 60) : '';
        $v->abort() if $v;
        length $data == $size;
    } 30, 'the tunnel';

    return length $data == $size;
});

# A visitor who stops reading, and one who leaves, keep nothing for themselves.

settings(slow => 16 * $MIB);
ok(limits_are('slow', 16 * $MIB), 'a limit of 16 MiB/s');

my @idle = map { $t->connect(port => $down->port(), rcvbuf => 4096) } 1 .. 8;
$_->read_exact(100, 30) for @idle;
$idle[$_]->abort() for 0 .. 3;
rest();

paced('beside slow visitors', 16 * $MIB, 16 * $MIB, sub {
    my $v = $t->connect(port => $down->port());
    my $data = $v->read_exact(16 * $MIB, 60);
    return length $data == 16 * $MIB;
});

$_->abort() for @idle[4 .. 7];

$t->finish();
