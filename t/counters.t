use strict;
use warnings;

# Counters: per tunnel, per client and of the zone; over all workers, over a
# reload, a client that resumes, and workers that are killed.

use JSON::PP;
use Test::More tests => 128;

use Inlets::Test;
use Inlets::Test::Service;


sub counters_of {
    my ($workers) = @_;
    my $n = "$workers worker" . ($workers > 1 ? 's' : '');
    my $t = Inlets::Test->new(workers => $workers);

    my $file = $t->file('server.yml', <<'END');
clients:
  - {clientId: one, clientSecret: secret}
  - {clientId: two, clientSecret: secret}
END

    $t->edge(
        listen => 'listen 127.0.0.1:%%PORT_0%% reuseport;',
        token => "inlets_config $file;",
        http => <<'END',
    log_format counters '$uri $inlets_tunnel_requests $inlets_tunnel_streams '
                        '$inlets_tunnel_bytes_up $inlets_tunnel_bytes_down '
                        '$inlets_tunnel_errors';
    access_log %%TESTDIR%%/http.log counters;
END
        stream => <<'END',
    log_format counters '$inlets_tunnel_streams $inlets_tunnel_bytes_up '
                        '$inlets_tunnel_bytes_down $inlets_tunnel_errors';
    access_log %%TESTDIR%%/tcp.log counters;
END
        server => 'location = /_/status { inlets_status edge; }',
        tunnel => 'inlets_wait 0; proxy_read_timeout 1s;',
    )->run();

    my $status = sub {
        return decode_json($t->get('/_/status')->{body});
    };

    my $row = sub {
        my ($list, %want) = @_;
        my ($key) = keys %want;
        my ($found) = grep { ($_->{$key} || '') eq $want{$key} }
                           @{$status->()->{$list}};
        return $found || {};
    };

    # A worker counts what it has sent, which may be seen before.

    my $grown = sub {
        my ($key, $from, $more, %want) = @_;
        my $now;

        wait_for { $now = $row->('tunnels', %want);
                   $now->{$key} - $from->{$key} >= $more } 5, $key;
        return $now;
    };

    my $tunnel = sub {
        my ($id, @arguments) = @_;
        return $t->client({}, 'client', '-r', '127.0.0.1:' . $t->port(0),
                          '--credentials', "$id:secret", @arguments);
    };

    my $web = $t->service('http');
    my $echo = $t->service('echo');

    my $http = $tunnel->('one', '-s', 'demo', 'http', $web->upstream());
    my $tcp = $tunnel->('one', '-p', $t->port('tcp'), 'tcp',
                        $echo->upstream());
    my $other = $tunnel->('two', '-s', 'other', 'http', $web->upstream());

    $_->wait_up() for $http, $tcp, $other;

    my %demo = (host => 'demo.example.com');

    # Requests and bytes.

    $t->get('/', %demo) for 1 .. 20;

    my $c = $row->('tunnels', host => 'demo.example.com');

    is($c->{requests}, 20, "$n: requests");
    is($c->{errors}, 0, "$n: no errors");
    is($c->{clientId}, 'one', "$n: client");
    is($row->('tunnels', host => 'other.example.com')->{requests}, 0,
       "$n: not another tunnel's");
    cmp_ok($c->{since}, '>', time() - 100, "$n: since");
    cmp_ok($c->{since}, '<=', time(), "$n: is not to come");

    my $before = $row->('tunnels', host => 'demo.example.com');
    $t->get('/bytes?n=500000', %demo);
    $c = $grown->('bytesDown', $before, 500_000, host => 'demo.example.com');

    cmp_ok($c->{bytesDown} - $before->{bytesDown}, '>=', 500_000,
           "$n: bytes down");
    cmp_ok($c->{bytesDown} - $before->{bytesDown}, '<', 501_000,
           "$n: with only a head");

    $before = $c;
    $t->request('POST', '/post', %demo, body => 'x' x 300_000);
    $c = $grown->('bytesUp', $before, 300_000, host => 'demo.example.com');
    cmp_ok($c->{bytesUp} - $before->{bytesUp}, '>=', 300_000, "$n: bytes up");
    cmp_ok($c->{bytesUp} - $before->{bytesUp}, '<', 301_000,
           "$n: with only a head");

    # Streams; bytes of TCP are exact.

    my @visitors = map { $t->connect(port => $tcp->port()) } 1 .. 12;

    for my $visitor (@visitors) {
        $visitor->send('x' x 10_000);
        $visitor->read_exact(10_000);
    }

    $c = $grown->('bytesDown', { bytesDown => 0 }, 120_000,
                  port => $tcp->port());
    is($c->{streamsNow}, 12, "$n: streams now");
    is($c->{streams}, 12, "$n: and all");
    is($c->{bytesUp}, 120_000, "$n: TCP bytes up");
    is($c->{bytesDown}, 120_000, "$n: TCP bytes down");
    is($c->{requests}, 0, "$n: no requests");
    is($row->('clients', clientId => 'one')->{streamsNow}, 12,
       "$n: streams of the client");

    $_->close() for @visitors;
    ok((wait_for { $row->('tunnels', port => $tcp->port())->{streamsNow} == 0 }
        10, 'none'), "$n: none when they are closed");
    is($row->('tunnels', port => $tcp->port())->{streams}, 12,
       "$n: but they have been");

    ok((wait_for { $t->read_file('tcp.log') =~ /^\d+ 120000 120000 0$/m } 5,
        'log'), "$n: variables of a session");
    like($t->read_file('http.log'), qr{^/post 22 0 \d{6} \d{6} 0$}m,
         "$n: variables of a request");

    # The sums.

    my $s = $status->();
    my @one = grep { $_->{clientId} eq 'one' } @{$s->{tunnels}};
    my ($client) = grep { $_->{clientId} eq 'one' } @{$s->{clients}};

    for my $key (qw(bytesUp bytesDown requests streams errors)) {
        my ($sum, $all) = (0, 0);
        $sum += $_->{$key} for @one;
        $all += $_->{$key} for @{$s->{clients}};
        is($client->{$key}, $sum, "$n: $key of a client are its tunnels'");
        is($s->{global}{$key}, $all, "$n: $key of all");
        $all = 0;
        $all += $_->{$key} for @{$s->{workers}};
        is($s->{global}{$key}, $all, "$n: $key of all workers");
    }

    is($client->{tunnels}, 2, "$n: tunnels of the client");
    is(scalar @{$s->{workers}}, $workers, "$n: workers");

    # Errors.

    is($t->get('/hang', %demo)->{status}, 504, "$n: a service that hangs");
    is($row->('tunnels', host => 'demo.example.com')->{errors}, 1,
       "$n: is an error");
    is($t->get('/reset', %demo)->{status}, 502, "$n: one that resets");
    is($row->('tunnels', host => 'demo.example.com')->{errors}, 2,
       "$n: is an error");
    is($t->get('/status?code=404', %demo)->{status}, 404,
       "$n: an answer, whatever it is,");
    is($row->('tunnels', host => 'demo.example.com')->{errors}, 2,
       "$n: is none");

    my $closed = $tunnel->('two', 'tcp', $t->service('closed')->upstream());
    $closed->wait_up();
    my $visitor = $t->connect(port => $closed->port());
    $visitor->ended() if $visitor;
    ok((wait_for { $row->('tunnels', port => $closed->port())->{errors} == 1 }
        5, 'error'), "$n: a service that refuses");

    # A client that is away: there is no tunnel, but the zone counts.

    my $errors = $status->()->{global}{errors};
    $other->signal('KILL');
    ok((wait_for { $t->get('/', host => 'other.example.com')->{status} == 503 }
        10, '503'), "$n: a client that is away");
    cmp_ok($status->()->{global}{errors}, '>', $errors, "$n: is an error");
    is($row->('clients', clientId => 'two')->{tunnels}, 1,
       "$n: a tunnel less");

    # A reload: rows go on, those of tunnels too.

    $t->get('/', %demo) for 1 .. 3;
    $before = $status->();
    my $held = $t->connect(port => $tcp->port());
    $held->send('x');
    $held->read_exact(1);

    ok($t->reload(), "$n: reload");
    ok((wait_for { my $r = $row->('tunnels', host => 'demo.example.com');
                   ($r->{requests} || 0) >= 25
                   && grep { $_ == $r->{worker} } $t->workers() } 20,
        'the tunnel'), "$n: the tunnel's counters after it");

    my $after = $status->();
    cmp_ok($after->{global}{requests}, '>=', $before->{global}{requests},
           "$n: the zone's");
    is($after->{global}{since}, $before->{global}{since}, "$n: since before");
    is($row->('tunnels', host => 'demo.example.com')->{since},
       (grep { ($_->{host} || '') eq 'demo.example.com' }
             @{$before->{tunnels}})[0]{since}, "$n: the tunnel's too");
    is($row->('clients', clientId => 'one')->{streamsNow}, 1,
       "$n: a stream of before it");

    $held->send('y');
    $held->read_exact(1);
    $held->close();
    ok($t->wait_old(25), "$n: old workers end");
    is($row->('clients', clientId => 'one')->{streamsNow}, 0,
       "$n: and nothing is left open");

    # Killed workers.

    $t->allow_log(qr/exited on signal 9/);
    @visitors = map { $t->connect(port => $tcp->port()) } 1 .. 8;

    for my $v (@visitors) {
        $v->send('x');
        $v->read_exact(1);
    }

    ok((wait_for { $row->('clients', clientId => 'one')->{streamsNow} == 8 } 5,
        'streams'), "$n: streams");

    $before = $status->();
    my @pids = $t->workers();
    kill 'KILL', @pids;
    ok((wait_for { my @now = $t->workers();
                   @now == $workers && !grep { my $p = $_;
                                               grep { $p == $_ } @pids } @now }
        15, 'workers'), "$n: all workers are killed");
    $_->close() for @visitors;

    ok((wait_for { my $s = eval { $status->() };
                   $s && $s->{global}{streamsNow} == 0 } 15, 'none'),
       "$n: their streams are not open");
    cmp_ok($status->()->{global}{bytesUp}, '>=', $before->{global}{bytesUp},
           "$n: what they had counted is kept");
    ok((wait_for { $t->get('/', %demo)->{status} == 200 } 30, 'the tunnel'),
       "$n: the tunnel comes back");
    cmp_ok($row->('clients', clientId => 'one')->{requests}, '>', 25,
           "$n: and its client's counters were kept");
    is($row->('clients', clientId => 'one')->{streamsNow}, 0,
       "$n: nothing is open");

    $t->finish();
}


counters_of(1);
counters_of(4);

