# The settings file and real clients: what each of its keys does to tunnels
# that run, in four workers; a thousand clients; no secret in any log.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha512_hex);
use JSON::PP;
use MIME::Base64;
use Test::More;
use Time::HiRes qw(sleep time);

use Inlets::Test;

my $stream = Inlets::Test::nginx_features()->{stream};
my $t = Inlets::Test->new(workers => 4);
my $many = Inlets::Test->new(workers => 4);
my $dir = $t->dir();
my $web = $t->service('http');
my $echo = $t->service('echo');
my $first = $t->port('tcp', 8);

# all of them are to be found by one word
my $TOKEN = 'xyzzy-token';
my %secret = map { $_ => "xyzzy-$_" } qw(alice bob carol);


# The file is reached by a link to a folder, which may be replaced.

my $folder = 0;

my %write = (
    'in place' => sub {
        $t->file("v$folder/server.yml", $_[0]);
    },
    'by rename' => sub {
        $t->file("v$folder/new.yml", $_[0]);
        rename "$dir/v$folder/new.yml", "$dir/v$folder/server.yml" or die;
    },
    'by another folder' => sub {
        my $link = 'v' . ++$folder;

        mkdir "$dir/$link" or die;
        $t->file("$link/server.yml", $_[0]);
        symlink $link, "$dir/now.new" or die;
        rename "$dir/now.new", "$dir/now" or die;
    },
);

my $changes = 0;

# keys: lines of the file, or of a client; undef: no such client
sub settings {
    my ($how, %key) = @_;
    my $more = delete $key{more} || '';
    my $text = "domain: example.com\ntoken: $TOKEN\n$more\nclients:\n";

    %key = (alice => '', bob => '', carol => '', %key);

    for my $id (grep { defined $key{$_} } sort keys %key) {
        $text .= "- clientId: $id\n  clientSecret: "
                 . ($secret{$id} || "xyzzy-$id") . "\n"
                 . ($key{$id} ? "  $key{$id}\n" : '');
    }

    $write{$how}->($text . '# ' . ++$changes . "\n");
}


# Writes them, and waits until each worker has them: one that has not would
# not let this one in.

sub change {
    my ($how, %key) = @_;
    my $id = 'probe' . ($changes + 1);

    settings($how, %key, $id => '');

    return wait_for {
        !grep {
            my $ws = $t->login(auth => 'credentials', client => $id,
                               secret => "xyzzy-$id");
            my $ok = $ws->{reply}{ok};
            $ws->close();
            !$ok;
        } 1 .. 16;
    } 10, 'settings in all workers';
}


sub client {
    my ($id, @arguments) = @_;

    return $t->client({ env => { CREDENTIALS => "$id:$secret{$id}" } },
                      'client', '-r', '127.0.0.1:' . $t->port(0),
                      '--log-level', 'debug', @arguments);
}


mkdir "$dir/v0" or die;
symlink 'v0', "$dir/now" or die;
settings('in place');
$t->file('other.yml', "clients:\n- {clientId: alice, clientSecret: xyzzy, "
         . "disabled: true}\n- {clientId: bob, clientSecret: xyzzy, "
         . "allow: {subDomains: [other]}}\n- {clientId: carol, "
         . "clientSecret: xyzzy, allow: {subDomains: [n-*], ports: [1]}}\n");

$t->edge(
    domain => '', token => 'inlets_config now/server.yml;',
    listen => 'listen 127.0.0.1:%%PORT_0%% reuseport;',
    http => 'inlets_auth_attempts 0; inlets_wait 300ms;',
    server => 'location = /_/status { inlets_status edge; }',
    servers => 'server {
                    listen 127.0.0.1:%%PORT_public%%;
                    inlets_public on;
                    inlets_public_timeout 90s;
                    inlets_public_warn 10s;
                    inlets_max_drift 2s;
                    location /_/ { inlets_connect edge; }
                }
                server {
                    listen 127.0.0.1:%%PORT_other%%;
                    inlets_config other.yml;
                    location /_/ { inlets_connect edge; }
                }',
)->run();

my $http = client('alice', '-s', 'app', '--basic-auth', 'ann:xyzzy-visitor',
                  'http', $web->upstream);
my $tcp = $stream && client('bob', '-p', $first, 'tcp', $echo->upstream);

ok($_->wait_up(), 'a client is up') for grep { $_ } $http, $tcp;

my @ann = (host => 'app.example.com', headers => [
               authorization => 'Basic '
                                . encode_base64('ann:xyzzy-visitor', '') ]);


# Tunnels, their streams and what is being sent go on, whichever way the file
# is changed.

{
    my $held = $stream && $t->connect(port => $first);
    my $n = 0;

    for my $how ('in place', 'by rename', 'by another folder', 'by rename',
                 'in place')
    {
        my $slow = $t->connect();
        $slow->send_request('GET', '/sse?n=15&ms=100', @ann);
        ok(change($how), "$how: in all workers");

        is(scalar(() = ($slow->read_response()->{body} || '') =~ /data:/g), 15,
           "$how: a response goes on");
        is($t->get('/', @ann)->{status}, 200, "$how: requests go on");

        if ($held) {
            $held->send("x$n");
            is($held->read_exact(2), "x$n", "$how: a connection goes on");
        }

        $n++;
    }

    is(scalar(() = $_->output() =~ /Forwarding: /g), 1,
       'no client has noticed') for grep { $_ } $http, $tcp;
    $held->close() if $held;
}


# heartbeat: sent to the real client, which then pings so, and is cut off so.

{
    unlike($http->output(), qr/a ping every 200 ms/, 'not yet');
    ok(change('by rename', more => 'heartbeat: {interval: 200ms, '
                                   . 'timeout: 2s}'), 'heartbeat');
    ok($http->wait_output(qr/a ping every 200 ms/, 5),
       'a running client is told');
    sleep 2.5;
    is($t->get('/', @ann)->{status}, 200, 'and goes on');
    is(scalar(() = $http->output() =~ /Forwarding: /g), 1, 'without a gap');

    $t->mark();
    $http->signal('STOP');
    ok($t->wait_log(qr/client alice ended: .*silent/, 5),
       'one that is silent is cut off');
    $http->signal('CONT');
    ok($http->wait_up(2, 20), 'and comes back');
    is($t->get('/', @ann)->{status}, 200, 'with its name');

    ok(change('in place'), 'heartbeat of the directives');
    ok($http->wait_output(qr/200 ms.*a ping every 15000 ms/s, 5),
       'is told as well');
}


# auth.maxDrift; without it the directive's value.

sub drift {
    my ($seconds, %opt) = @_;
    my $stamp = sprintf '%.0f', (time() - $seconds) * 1000;
    my $ws = $t->login(%opt, fields => { timestamp => $stamp + 0,
                           signature => hmac_sha512_hex($stamp, $TOKEN) });
    my $reply = $ws->{reply};

    $ws->close();

    return $reply->{ok} ? 'ok' : $reply->{message};
}

{
    my @directive = (connect => { port => $t->port('public') });
    my $twenty = qr/(?:19\.9\d*|20(?:\.\d+)?)/;     # nginx's clock ticks

    is(drift(20), 'ok', '5 minutes, if nothing is said');
    like(drift(20, @directive), qr/${twenty}s apart, at most 2s is allowed/,
         'as the directive says');

    ok(change('by rename', more => 'auth: {maxDrift: 10s}'), 'maxDrift');
    is(drift(5, @directive), 'ok', 'as the file says');
    like(drift(20, @$_), qr/${twenty}s apart, at most 10s is allowed/,
         'as the file says') for \@directive, [];

    my $client = client('carol', 'http', $web->upstream);
    ok($client->wait_up(), 'the clock of a real client is fine');
    $client->stop();

    ok(change('by rename', more => 'auth: {maxDrift: 0}'), 'no maxDrift');
    is(drift(86400 * 100, @directive), 'ok', 'is not checked');
}


# publicHTTP.

sub public {
    my ($port) = @_;
    return $t->client('client', '-r', '127.0.0.1:' . $t->port($port), 'http',
                      $web->upstream);
}

{
    my $client = public(0);
    isnt($client->wait_exit(10), 0, 'public tunnels are off');
    like($client->output, qr/public auth is not enabled/, 'told');

    ok(change('in place', more => 'publicHTTP: {enabled: true, timeout: 4s, '
                                  . 'warnLead: 2s}'), 'publicHTTP');
    $client = public(0);
    ok($client->wait_up(), 'on by the file') or diag($client->output);
    is($t->get('/', host => $client->host)->{status}, 200, 'serves');
    is($client->wait_exit(15), 0, 'and ends');
    like($client->output, qr/max lifetime is 4s.*will close in 2s.*reached the 4s limit.*public monitor session timeout/s,
         'as the file says');

    # without "enabled" the other keys count as well

    ok(change('by rename', more => 'publicHTTPNoAuth: {timeout: 70s}'),
       'only a timeout');
    $client = public('public');
    ok($client->wait_up(), 'on by the directive');
    like($client->output, qr/max lifetime is 1m10s/, 'its life by the file');

    # and those that run are ended

    ok(change('by rename', more => 'publicHTTP: {enabled: false}'), 'off');
    isnt($client->wait_exit(10), 0, 'a running one ends');
    like($client->output, qr/public tunnels are no longer allowed/, 'told why');
}


# What is allowed, of real clients that run.

{
    my $narrow = client('carol', '-s', 'narrow', 'http', $web->upstream);
    ok($narrow->wait_up(), 'one with a name');

    ok(change('by another folder', carol => 'maxStreams: 1'), 'maxStreams');
    my $slow = $t->connect();
    $slow->send_request('GET', '/slow?ms=1500', host => 'narrow.example.com');
    sleep 0.3;
    is($t->get('/', host => 'narrow.example.com')->{status}, 503,
       'acts on a tunnel that runs');
    is($slow->read_response()->{status}, 200, 'not on its stream');

    ok(change('in place', carol => 'maxTunnels: 1'), 'maxTunnels');
    my $second = client('carol', 'http', $web->upstream);
    is($second->wait_exit(10), 1, 'no second tunnel');
    like($second->output, qr/as many tunnels as it may have: 1/, 'told why');
    is($t->get('/', host => 'narrow.example.com')->{status}, 200,
       'the first one goes on');

    ok(change('by rename', carol => 'allow: {subDomains: ["w*"]}'), 'a name');
    is($narrow->wait_exit(10), 1, 'that is not allowed ends its tunnel');
    like($narrow->output, qr/subDomain "narrow" is not allowed for client/,
         'told why');
    is($t->get('/', host => 'narrow.example.com')->{status}, 404,
       'and is unknown');

  SKIP: {
        skip 'no stream', 8 if !$tcp;

        my $held = $t->connect(port => $first);
        $held->send('x');
        is($held->read_exact(1), 'x', 'a port');

        ok(change('by rename', bob => 'allow: {ports: [1, "' . ($first + 1)
                                      . '-' . ($first + 2) . '"]}'),
           'that is not allowed');
        is($tcp->wait_exit(10), 1, 'ends its tunnel');
        like($tcp->output, qr/port $first is not allowed for client "bob"/,
             'told why');
        ok($held->ended(5), 'and its connections');

        my $other = client('bob', 'tcp', $echo->upstream);
        ok($other->wait_up(), 'another one');
        is($other->port, $first + 1, 'is given from the range');

        ok(change('by rename', bob => 'disabled: true'), 'disabled');
        is($other->wait_exit(10), 1, 'it ends');
    }

    is($t->get('/', @ann)->{status}, 200, 'and alice goes on all the time');
}


# Not only at the login: what comes back, and links.

sub login {
    my ($id, %opt) = @_;
    return $t->login(auth => 'credentials', client => $id,
                     secret => $secret{$id}, %opt);
}

sub link_status {
    my ($ws, $port) = @_;
    my ($id, $client) = @{$ws->{reply}}{qw(containerId clientId)};
    my $link = $t->websocket("/_/data?clientId=$client&containerId=$id&mux=1",
                             port => $t->port($port));
    my $status = $link->status;

    $link->close();

    return $status;
}

{
    ok(change('by rename'), 'all is allowed');

    my $ws = login('carol', name => 'zz-1');
    my $id = $ws->{reply}{containerId};

    $t->mark();
    $ws->abort();
    ok($t->wait_log(qr/tunnel \Q$id\E .*ended/, 5), 'one that is lost');

    ok(change('by rename', carol => 'allow: {subDomains: ["w-*"]}'),
       'and may not have its name any more');
    $ws = login('carol', resume => $id);
    like($ws->{reply}{url}, qr{//w-\w+\.example\.com}, 'gets another one');
    $ws->close();

    # while it is up: links, by the settings where they are attached

    ok(change('by rename'), 'all is allowed');

    for my $case ([ 'alice', 403 ], [ 'bob', 403 ], [ 'carol', 101 ]) {
        my ($id, $status) = @$case;
        my $ws = login($id, name => "n-$id");

        is(link_status($ws, 0), 101, "link of $id");
        is(link_status($ws, 'other'), $status, "by other settings: $status");
        $ws->close();
    }

    if ($stream) {
        $ws = login('carol', type => 'tcp');
        is(link_status($ws, 0), 101, 'link for a port');
        is(link_status($ws, 'other'), 403, 'by other settings: 403');
        $ws->close();
    }
}


# Another token is for log-ins to come.

{
    my $token = client_by_token($TOKEN);
    ok($token->wait_up(), 'one with the token');

    my $old = $TOKEN;
    $TOKEN = 'xyzzy-another';
    ok(change('in place'), 'another token');
    sleep 0.3;
    ok($token->alive(), 'it goes on');
    is($t->get('/', host => $token->host)->{status}, 200, 'and serves');

    my $late = client_by_token($old);
    is($late->wait_exit(10), 1, 'the old one lets nobody in');
    ok(client_by_token($TOKEN)->wait_up(), 'but the new one does');
}

sub client_by_token {
    return $t->client({ env => { TOKEN => $_[0] } }, 'client', '-r',
                      '127.0.0.1:' . $t->port(0), 'http', $web->upstream);
}


# Workers that are to exit, but have streams, follow as well.

SKIP: {
    skip 'no stream', 6 if !$stream;

    ok(change('by rename'), 'bob is enabled');
    my $client = client('bob', '-p', $first, 'tcp', $echo->upstream);
    ok($client->wait_up(), 'one with a port');

    my $held = $t->connect(port => $first);
    $held->send('x');
    is($held->read_exact(1), 'x', 'and a connection');
    $t->reload();
    ok($client->wait_up(2, 20), 'which has moved');
    $held->send('y');
    is($held->read_exact(1), 'y', 'its connection stays');
    settings('by rename', bob => 'disabled: true');
    ok($held->ended(10), 'until it is disabled');
}


# bandwidthLimit and bandwidthLimits, as the status page has them.

{
    my $limits = sub {
        my $s = decode_json($t->get('/_/status')->{body});
        my ($alice) = grep { $_->{clientId} eq 'alice' } @{$s->{clients}};

        return join ' ', map { @{$_->{limit}}{qw(upload download)} }
                             $alice, $s->{global};
    };

    ok(change('by rename', alice => 'bandwidthLimit: {upload: 1m}',
              more => "bandwidthLimits:\n  global: {download: 9m}\n"
                      . '  clients: {alice: {upload: 5m, download: 2m}}'),
       'limits');
    is($limits->(), join(' ', 1 << 20, 2 << 20, 0, 9 << 20),
       'the own limit wins, each direction for itself');
    ok(change('in place'), 'no limits');
    is($limits->(), '0 0 0 0', 'are no longer in force');
}


# Ports and domain.

$t->mark();
settings('by rename', more => 'tcpPort: 9');
ok($t->wait_log(qr/\[warn\].*"tcpPort" in settings file ".*" has changed, this needs another "listen" and a reload/, 5),
   'a changed tcpPort is told of');


# A bad file, and secrets that are wrong in it.

$t->mark();
settings('by another folder', bob => 'clientSecret: xyzzy-twice',
         more => "tokn: xyzzy\nnotification: {provider: xyz, "
                 . 'url: "xyzzy://h/", secret: [xyzzy]}');
ok($t->wait_log(qr/settings file ".*" rejected/, 5), 'a bad file');
is($t->get('/', @ann)->{status}, 200, 'changes nothing');


# The end: nothing secret in what any of them has written.

$_->stop() for grep { $_->alive() } @{$t->{clients}};
$t->get('/', host => 'app.example.com', headers => $ann[3]);
$t->stop('QUIT');

for my $file (sort glob "$dir/*") {
    next if $file =~ m{/(?:nginx\.conf|other\.yml|service\.\d+\.log|now|v\d+)$} || -d $file;
    my $text = $t->read_file($file);
    my $b64 = encode_base64('ann:xyzzy-visitor', '');

    ok($text !~ /xyzzy|\Q$b64\E/, 'no secret in ' . $file =~ s{.*/}{}r)
        or diag(grep { /xyzzy|\Q$b64\E/ } split /^/, $text);
}

$t->finish();


# A thousand clients, each with a tunnel; half of them are removed.

{
    my $t = $many;
    my $n = $ENV{INLETS_VALGRIND} ? 50 : 1000;
    my $yaml = sub {
        return "domain: example.com\nclients:\n" . join '', map {
            "- clientId: client-$_\n  clientSecret: secret-$_\n"
            . "  allow: {subDomains: [name-$_]}\n" } @_;
    };
    my $tunnels = sub {
        return decode_json($t->get('/_/status')->{body})->{global}{tunnels};
    };

    $t->file('server.yml', $yaml->(1 .. $n));
    $t->edge(domain => '', token => 'inlets_config server.yml;',
             listen => 'listen 127.0.0.1:%%PORT_0%% reuseport;',
             zone => 'inlets_zone edge 8m;', tcp_ports => 0,
             server => 'location = /_/status { inlets_status edge; }')->run();

    my @ws = map { $t->login(auth => 'credentials', client => "client-$_",
                             secret => "secret-$_") } 1 .. $n;

    is(scalar(grep { $_->{reply}{ok} } @ws), $n, "$n clients");
    is(scalar(grep { $ws[$_ - 1]{reply}{url} =~ m{//name-$_\.} } 1 .. $n), $n,
       'each with its name');
    is($tunnels->(), $n, 'their tunnels');

    $t->file('server.yml', $yaml->(grep { $_ % 2 } 1 .. $n));
    ok((wait_for { $tunnels->() == $n / 2 } 10, 'half'),
       'half of them are removed');

    my $told = grep {
        my $e = $ws[$_ - 1]->wait_event('error', 5);
        $e && $e->{message} eq "client \"client-$_\" was removed from the "
                               . 'settings of this server';
    } grep { $_ % 2 == 0 } 1 .. $n;

    is($told, $n / 2, 'and told so');

    my $go_on = grep {
        my $ws = $ws[$_ - 1];
        $ws->event('ping', undef);
        $ws->wait_event('pong', 5);
    } grep { $_ % 2 } 1 .. $n;

    is($go_on, $n / 2, 'the others go on');

    $_->close() for @ws;
    $t->finish();
}
