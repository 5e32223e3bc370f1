# What is slow stalls only itself, memory stays bounded, and streams share a
# link.

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use IO::Select;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Inlets::Test;
use Inlets::Test::Service;

use constant MB => 1024 * 1024;

my $gigabyte = 1024 * MB;
my $asan = $Inlets::Test::BUILD =~ m{/asan/?$};
my @tests = map { Inlets::Test->new(workers => $_) } 1, 2;


sub resident {
    my ($t, $pid) = @_;
    my $text = $t->read_file("/proc/$pid/status");
    return $text =~ /^VmRSS:\s+(\d+) kB/m ? $1 * 1024 : 0;
}


for my $t (@tests) {
    my $w = "$t->{workers} workers";

    $t->edge(
        listen => 'listen 127.0.0.1:%%PORT_0%% reuseport;',
        http => 'client_max_body_size 0;',
        tunnel => 'proxy_read_timeout 300s; proxy_send_timeout 300s;',
        connect => 'inlets_window 2m; inlets_link_window 8m;',
    )->run();

    my $web = $t->service('http');
    my $echo = $t->service('echo');
    my $client = $t->tunnel('http', $web->upstream(), '-s', 'demo',
                            '--links', 1);
    my $tcp = $t->tunnel('tcp', $echo->upstream(), '--links', 1);
    my $host = 'demo.example.com';

    my $get_ok = sub {
        my $answer = $t->get('/', host => $host, timeout => 10);
        return $answer->{status} == 200 && $answer->{body} eq "it works\n";
    };

    # Visitors, by whatever worker, get their answers soon.

    my $others = sub {
        my ($name) = @_;
        my $began = time();
        my $good = grep { $get_ok->() } 1 .. 30;

        is($good, 30, "$w, $name: others are served");
        cmp_ok(time() - $began, '<', 6 * $Inlets::Test::SLOW,
               "$w, $name: at once");
    };

    my %before;

    my $measure = sub {
        my %now = map { $_ => resident($t, $_) } $t->workers(),
                      $client->pid();
        return \%now;
    };

    my $grown = sub {
        my ($name, $max) = @_;
        my $now = $measure->();
        my ($most) = sort { $b <=> $a } map { $now->{$_} - $before{$_} }
                         keys %before;

        # sanitizers keep what was freed for a while

        $max += 300 * MB if $asan;

        cmp_ok($most, '<', $max, sprintf("%s, %s: memory, %.1f MB more", $w,
                                         $name, $most / MB));
    };

    $others->('before');
    %before = %{$measure->()};


    # A visitor that doesn't read.

    my $stalled = $t->connect(rcvbuf => 32768);
    $stalled->send_request('GET', "/bytes?n=$gigabyte", host => $host);
    like($stalled->read_until(qr/\r\n\r\n/), qr/ 200 /, "$w: a download");

    $others->('a slow visitor');
    sleep 0.5;
    $grown->('a slow visitor', 24 * MB);

    my $pattern = Inlets::Test::Service::pattern(65536);
    my $right = grep { $stalled->read_exact(65536) eq $pattern } 1 .. 256;
    is($right, 256, "$w: it goes on where it stopped");

    # Many of them.

    my @stalled = map { $t->connect(rcvbuf => 32768) } 1 .. 40;

    for (@stalled) {
        $_->send_request('GET', "/bytes?n=$gigabyte", host => $host);
    }

    is(scalar(grep { ($_->read_until(qr/\r\n\r\n/) || '') =~ / 200 / }
              @stalled), 40, "$w: many downloads");

    $others->('slow visitors');
    sleep 0.5;
    $grown->('slow visitors', 56 * MB);

    $_->abort() for $stalled, @stalled;
    $others->('slow visitors that left');


    # A service that doesn't read.

    my @uploads = map { $t->connect() } 1 .. 8;

    for my $upload (@uploads) {
        $upload->send("POST /hang HTTP/1.1\r\nHost: $host\r\n"
                      . "Content-Length: $gigabyte\r\n\r\n");
    }

    my $select = IO::Select->new(map { $_->fh() } @uploads);
    my $block = 'x' x 65536;
    my $sent = 0;
    my $end = time() + 20;

    $_->fh()->blocking(0) for @uploads;

    while (time() < $end && (my @ready = $select->can_write(0.5))) {
        for my $fh (@ready) {
            my $n = syswrite $fh, $block;
            $sent += $n if defined $n;
        }
    }

    cmp_ok($sent, '<', 150 * MB, "$w: uploads are held up");
    $others->('a slow service');
    $grown->('a slow service', 56 * MB);

    $_->abort() for @uploads;


    # A TCP visitor that sends and doesn't read what comes back.

    my @deaf = map { $t->connect(port => $tcp->port(), rcvbuf => 32768) }
                   1 .. 4;
    $_->fh()->blocking(0) for @deaf;
    $select = IO::Select->new(map { $_->fh() } @deaf);
    my %sent = map { $_->fh() => 0 } @deaf;
    $sent = 0;
    $end = time() + 20;

    while (time() < $end && (my @ready = $select->can_write(0.5))) {
        for my $fh (@ready) {
            my $n = syswrite $fh, $block;
            $sent{$fh} += $n if defined $n;
            $sent += $n if defined $n;
        }
    }

    cmp_ok($sent, '<', 150 * MB, "$w: TCP is held up");

    my $talk = $t->connect(port => $tcp->port());
    $talk->send("hello\n");
    is($talk->read_line(), "hello\n", "$w: another stream goes on");
    $talk->close();

    # and all of it comes back once it reads

    my $s = $deaf[0];
    $s->fh()->blocking(1);
    $s->shutdown();
    my $got = 0;

    while (my $n = $s->fill(20)) {
        $got += $n;
        $s->{buffer} = '';
    }

    is($got, $sent{$s->fh()}, "$w: it gets what it sent");
    $_->abort() for @deaf[1 .. 3];


    # Many streams at once, of all sizes.

    my @many;

    for my $i (1 .. 500) {
        my $size = $i % 10 == 0 ? 300_000 + $i : $i * 7;
        my $visitor = $t->connect();

        $visitor->send_request('GET', "/bytes?n=$size", host => $host,
                               close => 1);
        push @many, [ $visitor, $size ];
    }

    my $good = grep {
        my ($visitor, $size) = @$_;
        my $answer = $visitor->read_response(timeout => 60);
        $answer->{complete} && $answer->{status} == 200
            && $answer->{body} eq Inlets::Test::Service::pattern($size);
    } @many;

    is($good, 500, "$w: 500 downloads at once");
    $_->[0]->close() for @many;

    my @echoes = map { [ $t->connect(port => $tcp->port()), $_ ] } 1 .. 300;
    my %text = map { $_ => Inlets::Test::Service::pattern($_ * 50) }
                   1 .. 300;

    $_->[0]->send($text{$_->[1]}) for @echoes;
    $_->[0]->shutdown() for @echoes;
    $good = grep { $_->[0]->read_all(60) eq $text{$_->[1]} } @echoes;
    is($good, 300, "$w: 300 TCP streams at once");


    # Bulk and small on one link.

    my @bulk;

    for (1 .. 8) {
        my $pid = fork();
        die "fork: $!" if !defined $pid;

        if ($pid == 0) {
            Inlets::Test::die_with_parent('KILL');
            my $visitor = $t->connect();
            $visitor->send_request('GET', "/bytes?n=$gigabyte",
                                   host => $host);
            $visitor->read_until(qr/\r\n\r\n/);

            while ($visitor->fill(30)) {
                $visitor->{buffer} = '';
            }

            POSIX::_exit(0);
        }

        Inlets::Test::adopt($pid, 'bulk download');
        push @bulk, $pid;
    }

    wait_for { (() = join("\n", $web->requests()) =~ /n=$gigabyte/g) >= 49 } 20,
        'downloads';

    my @times;

    for (1 .. 25) {
        my $began = time();
        last if !$get_ok->();
        push @times, time() - $began;
    }

    @times = sort { $a <=> $b } @times;
    is(scalar(@times), 25, "$w: small requests beside 8 downloads");
    cmp_ok($times[12] || 99, '<', 1 * $Inlets::Test::SLOW,
           sprintf "%s: soon, median %.0f ms, longest %.0f ms", $w,
                   ($times[12] || 0) * 1000, ($times[-1] || 0) * 1000);

    for my $pid (@bulk) {
        kill 'KILL', $pid;
        Inlets::Test::reap($pid, 5);
    }

    $others->('after all');
    $grown->('after all', 64 * MB);
    is(scalar(() = $client->output() =~ /Container ID/g), 1,
       "$w: the client never had to reconnect");

    $t->finish();
}
