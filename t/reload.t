# Reload under traffic: no request fails, what is long ends where it began,
# the client moves on with its name, old workers exit.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Inlets::Test;
use Inlets::Test::Service;

my %conf = (
    tcp_ports => 4,
    http => 'inlets_wait 10s;',
    connect => 'inlets_drain_timeout 60s;
                inlets_remember 30s;',
    tunnel => 'proxy_read_timeout 60s;',
    servers => 'server {
                    listen 127.0.0.1:%%PORT_short%%;
                    inlets_drain_timeout 1s;
                    location / { inlets_connect edge; }
                }
                server {
                    listen 127.0.0.1:%%PORT_endless%%;
                    inlets_drain_timeout 0;
                    location / { inlets_connect edge; }
                }',
);


# A process that asks again and again, each time on a new connection, and
# writes down how each went.

sub traffic {
    my ($t, $name, $code) = @_;
    my $file = $t->dir() . "/traffic.$name";
    my $pid = fork();

    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        Inlets::Test::die_with_parent('KILL');
        $SIG{TERM} = 'DEFAULT';
        open my $fh, '>>', $file;

        for ( ;; ) {
            my $fault = eval { $code->() };
            $fault = "died: $@" if !defined $fault;
            syswrite $fh, $fault eq '' ? "good\n" : "bad: $fault\n";
        }
    }

    Inlets::Test::adopt($pid, 'traffic');

    return { pid => $pid, file => $file, test => $t };
}


sub good {
    my ($traffic) = @_;
    return scalar(() = $traffic->{test}->read_file($traffic->{file})
                       =~ /^good$/mg);
}


# Waits until more requests have gone well.

sub more {
    my ($n, @traffic) = @_;

    for my $traffic (@traffic) {
        my $before = good($traffic);
        wait_for { good($traffic) >= $before + $n } 20, 'more traffic'
            or return 0;
    }

    return 1;
}


sub bad {
    my ($traffic) = @_;

    kill 'KILL', $traffic->{pid};
    Inlets::Test::reap($traffic->{pid}, 5);

    return join "\n", $traffic->{test}->read_file($traffic->{file})
                      =~ /^(bad: .*)$/mg;
}


my @tests = map { Inlets::Test->new(workers => $_) } 1, 4, 2;

for my $t (@tests[0, 1]) {
    my $workers = $t->{workers};

    $t->edge(%conf)->run();

    my $web = $t->service('http');
    my $echo = $t->service('echo');
    my $http = $t->tunnel('http', $web->upstream(), '-s', 'demo');
    my $any = $t->tunnel('http', $web->upstream());
    my $tcp = $t->tunnel('tcp', $echo->upstream());
    my $w = "$workers workers";
    my ($host, $any_host, $port) = ($http->host(), $any->host(), $tcp->port());

    my $get = sub {
        my ($h) = @_;
        my $answer = $t->get('/', host => $h, timeout => 20);
        return '' if $answer->{status} == 200 && $answer->{complete}
                     && $answer->{body} eq "it works\n";
        return "$answer->{status} " . ($answer->{error} || $answer->{body});
    };

    my $post = sub {
        my $body = 'x' x 100_000;
        my $answer = $t->request('POST', '/post', host => $host,
                                 body => $body, timeout => 20);
        return '' if $answer->{status} == 200
                     && $answer->{body} =~ /^100000 /;
        return "$answer->{status} " . ($answer->{error} || $answer->{body});
    };

    my $talk = sub {
        my $s = $t->connect(port => $port) or return "connect: $!";
        my $text = time() . "\n";
        $s->send($text);
        $s->shutdown();
        my $got = $s->read_all(20);
        return $got eq $text ? '' : 'got ' . length $got;
    };

    my @traffic = (
        traffic($t, 'get', sub { $get->($host) }),
        traffic($t, 'any', sub { $get->($any_host) }),
        traffic($t, 'post', $post),
        traffic($t, 'tcp', $talk),
    );

    # what is long

    my $download = $t->connect(rcvbuf => 65536);
    my $size = 30_000_000;
    my $pattern = Inlets::Test::Service::pattern(65536);
    my $got = 0;
    my $wrong = 0;

    my $take = sub {
        my ($bytes) = @_;

        while ($bytes > 0 && $got < $size) {
            my $n = $size - $got < 65536 ? $size - $got : 65536;
            my $piece = $download->read_exact($n, 20);
            $wrong++ if $piece ne substr $pattern, 0, $n;
            $got += length $piece;
            $bytes -= $n;
            last if length $piece < $n;
        }
    };

    $download->send_request('GET', "/bytes?n=$size", host => $host);
    like($download->read_until(qr/\r\n\r\n/), qr/ 200 /, "$w: download begins");

    my $sse = $t->connect();
    $sse->send_request('GET', '/sse?n=100000&ms=20', host => $host);
    ok($sse->read_until(qr/data: 3\n/), "$w: events come");

    my $stream = $t->connect(port => $port);
    $stream->send("one\n");
    is($stream->read_line(), "one\n", "$w: TCP stream");

    my $upload = $t->connect();
    $upload->send("POST /post HTTP/1.1\r\nHost: $host\r\n"
                  . "Content-Length: 1000000\r\nConnection: close\r\n\r\n");
    $upload->send('u' x 1000);

    # one reload

    my %ups = map { $_ => 1 } 0 .. 2;
    my @clients = ($http, $any, $tcp);
    my @sessions = map { scalar(() = $_->output() =~ /Container ID/g) }
                       @clients;

    ok($t->reload(), "$w: reload");

    for my $i (0 .. 2) {
        ok($clients[$i]->wait_up(2), "$w: client $i moves on");
    }

    ok(more(20, @traffic), "$w: traffic goes on");
    is($http->host(), $host, "$w: the name is kept");
    is($any->host(), $any_host, "$w: the given name too");
    is($tcp->port(), $port, "$w: the port too");

    $take->(5_000_000);
    is($got, 5_046_272, "$w: download goes on");
    $sse->{buffer} = '';
    ok($sse->read_until(qr/data: \d+\n/), "$w: events go on");
    $stream->send("two\n");
    is($stream->read_line(), "two\n", "$w: TCP stream goes on");
    $upload->send('u' x 500_000);

    cmp_ok(scalar(grep { my $p = $_; grep { $_ == $p } $t->workers(1) }
                       @{$t->{old}}), '>', 0, "$w: old workers are there");

    # several in a row

    for my $i (1 .. 3) {
        ok($t->reload(), "$w: reload again");
        ok(more(2, @traffic), "$w: traffic goes on");
    }

    $t->{workers} = $workers == 1 ? 3 : 2;
    ok($t->reload($t->edge(%conf) && undef), "$w: another number of workers");
    ok((wait_for { $t->workers() == $t->{workers} } 10), "$w: there they are");
    ok(more(10, @traffic), "$w: traffic goes on");

    $stream->send("three\n");
    is($stream->read_line(), "three\n", "$w: TCP stream goes on");

    # everything ends as it should

    $upload->send('u' x 499_000);
    like($upload->read_response()->{body}, qr/^1000000 /, "$w: upload ends");

    $take->($size);
    is($got, $size, "$w: download ends");
    is($wrong, 0, "$w: and is right");
    $stream->shutdown();
    is($stream->read_all(), '', "$w: TCP stream ends");
    $sse->{buffer} = '';
    ok($sse->read_until(qr/data: \d+\n/), "$w: events go on");
    $sse->close();

    ok((wait_for { my %now = map { $_ => 1 } $t->workers();
                   !grep { !$now{$_} } $t->workers(1) } 20,
        'old workers to exit'), "$w: old workers exit");

    ok(more(10, @traffic), "$w: traffic goes on");

    for my $traffic (@traffic) {
        cmp_ok(good($traffic), '>', 30, "$w: there was traffic");
        is(bad($traffic), '', "$w: none of it failed");
    }

    is(scalar(grep { $_->alive() } @clients), 3, "$w: clients are alive");
    unlike(join('', map { $_->output() } @clients), qr/ were cut |error:/,
           "$w: nothing was cut");

    $t->finish();
}


# Bounded: inlets_drain_timeout.

{
    my $t = $tests[2];
    $t->edge(%conf)->run();

    my $echo = $t->service('echo');
    my @tunnels = map {
        $t->client({ token => 1 }, 'client', '-r', '127.0.0.1:' . $t->port($_),
                   'tcp', $echo->upstream())
    } qw(short endless);

    ok($_->wait_up(), 'client is up') for @tunnels;

    my @streams = map { $t->connect(port => $_->port()) } @tunnels;

    for (@streams) {
        $_->send("one\n");
        is($_->read_line(), "one\n", 'TCP stream');
    }

    my $began = time();
    ok($t->reload(), 'reload');
    ok($streams[0]->ended(10), 'inlets_drain_timeout 1s: cut');
    cmp_ok(time() - $began, '>', 0.8, 'not at once');

    $streams[1]->send("two\n");
    is($streams[1]->read_line(), "two\n", 'inlets_drain_timeout 0: not cut');

    ok($_->wait_up(2), 'client moved on') for @tunnels;
    $streams[1]->send("three\n");
    is($streams[1]->read_line(), "three\n", 'nor by the client');
    $streams[1]->close();

    ok($t->wait_old(15), 'old workers exit');

    for (@tunnels) {
        my $s = $t->connect(port => $_->port());
        $s->send("new\n");
        is($s->read_line(), "new\n", 'new streams');
    }

    $t->finish();
}
