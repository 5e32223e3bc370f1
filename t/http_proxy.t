# The PROXY protocol header in front of a visitor's stream: once for a stream,
# also through a trunk.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $ip6 = -e '/proc/net/if_inet6';
sub id { $_[0] =~ /^X-Id: (\S+)\r$/m ? $1 : '' }

my @edges = map { Inlets::Test->new(workers => $_) } 1, 4;

for my $t (@edges) {
    my $workers = $t->{workers};

    $t->edge(
        tcp_ports => 0,
        listen => 'listen 127.0.0.1:%%PORT_0%%; '
                  . 'listen 127.0.0.1:%%PORT_other%% reuseport; '
                  . ($ip6 ? 'listen [::1]:%%PORT_v6%%;' : ''),
        tunnel => 'proxy_set_header X-Id $request_id; '
                  . 'add_header X-Pid $pid;',
    )->run();

    my $monitor = $t->login(name => 'demo');
    my $link = $t->link($monitor);

    # Returns (visitor, stream, request, answer as the visitor got it).

    my $ask = sub {
        my $visitor = $t->connect(@_);
        $visitor->send_request('GET', '/', host => 'Demo.Example.com:80');
        my $stream = $link->accept();
        my $request = $stream->read_until(qr/\r\n\r\n/);
        $stream->respond(200, 'hello');
        return ($visitor, $stream, $request, $visitor->read_response());
    };

    my ($visitor, $stream, $request, $answer) = $ask->();
    my $proxy = $stream->{proxy};

    is($answer->{body}, 'hello', "$workers workers: answer");
    is($proxy->{command}, 1, 'PROXY');
    is("$proxy->{source}:$proxy->{source_port}",
       '127.0.0.1:' . $visitor->local_port(), 'the visitor');
    is("$proxy->{destination}:$proxy->{destination_port}",
       '127.0.0.1:' . $t->port(0), 'the edge');
    is($proxy->{tlv}{2}, 'demo.example.com', 'the host asked for');
    like($proxy->{tlv}{5}, qr/^[0-9a-f]{32}$/, 'an id');
    is($proxy->{tlv}{5}, id($request), 'that of the request');
    like($request, qr{^GET / HTTP/1.1\r\n}, 'then the request');

    # The stream is kept: another request comes without a header.

    my $text = '';

    for (1 .. 2) {
        $visitor->send_request('GET', '/next', host => 'demo.example.com');
        my $next = $stream->read_until(qr/\r\n\r\n/);
        $stream->respond(200, 'again');
        $text .= substr($next, 0, 9) . $visitor->read_response()->{body};
    }

    is($text, 'GET /nextagainGET /nextagain', 'once for a stream');

    # Visitors of all workers: each has a stream of its own, since none is kept.

    $stream->reset();

    my (%pids, @held, @bad);

    for (1 .. 40) {
        my ($held, $its, $head, $got) = $ask->(port => $t->port('other'));

        push @bad, $its->{proxy}{source_port}
            if $its->{proxy}{source_port} != $held->local_port()
               || $its->{proxy}{destination_port} != $t->port('other')
               || $its->{proxy}{tlv}{5} ne id($head);
        $pids{$got->{headers}{'x-pid'}}++;
        $its->reset();
        push @held, $held;
        last if $_ >= 5 && ($workers == 1 || keys %pids > 1);
    }

    is("@bad", '', scalar(@held) . ' visitors');
    cmp_ok(scalar(keys %pids), '>', 1, 'in several workers') if $workers > 1;

    SKIP: {
        skip 'no IPv6', 1 if !$ip6;

        ($visitor, $stream) = $ask->(port => $t->port('v6'),
                                     address => '::1');
        $proxy = $stream->{proxy};
        is("[$proxy->{source}]:$proxy->{source_port} "
           . "[$proxy->{destination}]:$proxy->{destination_port}",
           '[::1]:' . $visitor->local_port() . ' [::1]:' . $t->port('v6'),
           'IPv6');
    }

    $t->finish();
}
