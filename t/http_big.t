use strict;
use warnings;

# A gibibyte down and one up: nothing is lost, nothing is kept in memory or on
# the disk.

use Digest::SHA;
use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;
use Inlets::Test::Service;

use constant BLOCK => 65536;

my $slow = $Inlets::Test::SLOW > 1;
my $blocks = $slow ? 1024 : 16384;
my $n = $blocks * BLOCK;
my $limit = 600;
my $pattern = Inlets::Test::Service::pattern(BLOCK - 8);


# Blocks that differ, so that no order but the right one is.

sub send_blocks {
    my ($socket, $sha, $count) = @_;

    for my $i (1 .. $count) {
        my $block = pack('Q>', $i) . $pattern;
        $sha->add($block);
        $socket->send($block, $limit) or return 0;
    }

    return 1;
}


sub read_blocks {
    my ($socket, $sha, $left) = @_;

    while ($left > 0) {
        my $data = $socket->delete_buffer();
        $sha->add($data);
        $left -= length $data;
        last if $left <= 0 || !$socket->fill($limit);
    }

    return $left == 0;
}


# GET /<blocks>: sends them.  PUT: reads a body, and sends its SHA-1.

sub serve {
    my ($socket) = @_;

    while (my $request = $socket->read_request_head($limit)) {
        my $sha = Digest::SHA->new(1);

        if ($request->{method} eq 'GET') {
            my ($count) = $request->{uri} =~ m{^/(\d+)};

            $socket->send("HTTP/1.1 200 OK\r\nContent-Length: "
                          . $count * BLOCK . "\r\n\r\n");
            send_blocks($socket, $sha, $count) or return;
            next;
        }

        read_blocks($socket, $sha, $request->{headers}{'content-length'});
        my $hex = $sha->hexdigest();
        $socket->send("HTTP/1.1 200 OK\r\nContent-Length: "
                      . length($hex) . "\r\n\r\n$hex");
    }
}


my ($t, $client);


# The most memory that a process had: in kB, worker by worker, then client.

sub peaks {
    return map {
        $t->read_file("/proc/$_/status") =~ /^VmHWM:\s+(\d+) kB/m ? $1 : 0;
    } sort($t->workers()), $client->pid();
}


sub most_grown {
    my ($before) = @_;
    my @now = peaks();
    my ($most) = sort { $b <=> $a } map { $now[$_] - $before->[$_] } 0 .. $#now;

    return $most;
}


sub files {
    return grep { -f } map { glob "$t->{dir}/$_/* $t->{dir}/$_/*/*/*" }
                           qw(proxy client_body);
}


sub down {
    my ($count) = @_;
    my $visitor = $t->connect();
    my ($sha, $expected) = map { Digest::SHA->new(1) } 1, 2;

    $visitor->send_request('GET', "/$count", host => 'big.example.com');
    like($visitor->read_until(qr/\r\n\r\n/) || '', qr/^HTTP\S+ 200/,
         'an answer');
    ok(read_blocks($visitor, $sha, $count * BLOCK), 'all of it comes');

    for my $i (1 .. $count) {
        $expected->add(pack('Q>', $i) . $pattern);
    }

    is($sha->hexdigest(), $expected->hexdigest(), 'unchanged');
}


sub up {
    my ($count) = @_;
    my $visitor = $t->connect();
    my $sha = Digest::SHA->new(1);

    $visitor->send("PUT / HTTP/1.1\r\nHost: big.example.com\r\n"
                   . "Content-Length: " . $count * BLOCK . "\r\n\r\n");
    ok(send_blocks($visitor, $sha, $count), 'all of it is taken');
    is($visitor->read_response(timeout => $limit)->{body}, $sha->hexdigest(),
       'and arrives unchanged');
}


my @edges = map { Inlets::Test->new(workers => $_) } 1, 4;

for my $edge (@edges) {
    $t = $edge;
    $t->edge(tunnel => 'client_max_body_size 0;', tcp_ports => 0)->run();

    # with four workers, most of the visitors come by a trunk

    my @links = $t->{workers} > 1 ? ('--links', 1) : ();
    my $count = $t->{workers} > 1 ? $blocks / 16 : $blocks;

    $client = $t->tunnel('http', $t->service(\&serve)->upstream(), '-s', 'big',
                         @links);

    for (1 .. $t->{workers}) {
        down(256);
        up(256);
    }

    my @before = peaks();
    is(scalar(grep { $_ } @before), $t->{workers} + 1, 'memory is measured');

    my $begin = time();

    for (1 .. $t->{workers}) {
        down($count);
        note(sprintf '%d MiB down in %.1f s', $count / 16, time() - $begin);
        $begin = time();

        up($count);
        note(sprintf '%d MiB up in %.1f s', $count / 16, time() - $begin);
        $begin = time();
    }

    cmp_ok(most_grown(\@before), '<', ($slow ? 256 : 24) * 1024,
           'no process keeps it in memory');

    is(join(' ', files()), '', 'nor on the disk');
    unlike($t->log(), qr/is buffered to a temporary file/, 'at any time');

    $t->finish();
}
