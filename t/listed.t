# Tunnels that the settings list for a client: the list, without its secrets,
# for coordinators and others; who gets in to them; and changes of it all.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64;
use Test::More;

use Inlets::Test;

sub basic { (authorization => 'Basic ' . encode_base64($_[0], '')) }
sub bearer { (authorization => "Bearer $_[0]") }

# all of them are to be found by one word
my @guard = (
    'auth:',
    '  enable: true',
    '  users:',
    '  - {type: basic, username: ann, password: "xyzzy:ann"}',
    '  - {type: basic, username: bob, password: xyzzy-bob}',
    '  - {type: bearer, token: xyzzy-token}',
);

# a client of the file: id, what it lists, and lines of its own
sub entry {
    my ($id, $tunnels, @lines) = @_;
    my $text = "- clientId: $id\n  clientSecret: xyzzy-$id\n"
               . join '', map { "  $_\n" } @lines;

    return $text if !$tunnels;

    $text .= "  tunnels:\n";

    for my $tunnel (@$tunnels) {
        my @key = @$tunnel;
        $text .= '  - ' . shift(@key) . "\n";
        $text .= "    $_\n" for @key;
    }

    return $text;
}

my $web_entry = [ 'name: web', 'type: http', 'upstream: 3000',
                  'subDomain: Web', @guard ];
my $ssh_entry = [ 'name: ssh', 'type: tcp', 'upstream: 10.0.0.5:22' ];


my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;

for my $workers (1, 4) {
    my $t = $t{$workers};
    my $web = $t->service('http');
    my $hook = $t->port('tcp', 8);
    my $port = ($web->upstream =~ /(\d+)$/)[0];
    my $changes = 0;

    my $settings = sub {
        my (@entries) = @_;

        $t->file('new.yml', "domain: example.com\ntoken: xyzzy-shared\n"
                 . "clients:\n" . join('', @entries) . '# ' . ++$changes
                 . "\n");
        rename $t->dir . '/new.yml', $t->dir . '/s.yml' or die $!;
    };

    # written, and seen by each worker: others would not let this one in
    my $change = sub {
        my $id = 'probe' . $changes;

        $settings->(@_, entry($id));

        ok(wait_for {
            !grep {
                my $ws = $t->login(auth => 'credentials', client => $id,
                                   secret => "xyzzy-$id");
                my $ok = $ws->{reply}{ok};
                $ws->close();
                !$ok;
            } 1 .. 4 * $workers;
        } 10, 'settings in all workers');
    };

    my $all = entry('alice', [
        $web_entry, $ssh_entry,
        [ 'name: more', 'type: http', 'upstream: 127.0.0.1:8080',
          'hostHeader: localhost:8080', 'proxyProtocol: v2',
          'connectTimeout: 1500ms', 'idleTimeout: 0', 'upstreamInsecure: yes' ],
        [ 'name: fix', 'type: tcp', 'upstream: 22', "remotePort: $hook" ],
    ]);
    my $list = [
        { name => 'web', type => 'http', upstream => '3000',
          subDomain => 'web' },
        { name => 'ssh', type => 'tcp', upstream => '10.0.0.5:22' },
        { name => 'more', type => 'http', upstream => '127.0.0.1:8080',
          hostHeader => 'localhost:8080', proxyProtocol => 'v2',
          connectTimeout => 1500, idleTimeout => 0,
          upstreamInsecure => JSON::PP::true() },
        { name => 'fix', type => 'tcp', upstream => '22',
          remotePort => $hook },
    ];

    $settings->($all, entry('none'), entry('few', undef, 'maxTunnels: 1'));
    $t->edge(
        domain => '', token => 'inlets_config s.yml;',
        http => 'inlets_auth_attempts 0; inlets_wait 300ms;
                 inlets_auth_timeout 2s;',
        server => 'location = /_/status { inlets_status edge; }',
        servers => 'server {
                        listen 127.0.0.1:%%PORT_public%%;
                        inlets_public on;
                        location /_/ { inlets_connect edge; }
                    }',
    )->run();

    my $as = sub {
        my ($id, %opt) = @_;

        return $t->login(auth => 'credentials', client => $id,
                         secret => "xyzzy-$id", %opt);
    };
    my $coordinator = sub {
        my ($id, %fields) = @_;

        return $as->($id, fields => { type => '', %fields });
    };
    my $tunnels = sub {
        return JSON::PP->new->decode(
            $t->get('/_/status', host => 'example.com')->{body})->{tunnels};
    };

    # the list

    my $c = $coordinator->('alice');
    my $reply = $c->{reply};

    ok($reply->{ok}, "$workers workers: a coordinator");
    is_deeply($reply->{config}{tunnels}, $list, 'gets the list');
    is($reply->{clientId}, 'alice', 'client id');
    like($reply->{containerId}, qr/^[0-9a-f-]{36}$/, 'an id of its own');
    ok(!exists $reply->{url}, 'no URL');
    is($reply->{config}{negotiatedCapabilities}{flags}, 65536,
       'capabilities');
    is_deeply($c->wait_event('@@CONFIG'), { pingInterval => 15000,
              pingTimeout => 20000 }, '@@CONFIG');
    is_deeply($tunnels->(), [], 'it is no tunnel');

    $c->event('ping', undef);
    ok($c->wait_event('pong'), 'heartbeat');
    is($t->link($c)->status(), 404, 'a link of it is refused');

    my $absent = $coordinator->('alice', type => undef);
    ok($absent->{reply}{ok}, 'no type at all');
    is_deeply($absent->{reply}{config}{tunnels}, $list, 'is a coordinator');
    $absent->close();

    is_deeply($coordinator->('none')->{reply}{config}{tunnels}, [],
              'an empty list');
    ok(!exists $coordinator->('alice', opaqueChild => JSON::PP::true())
               ->{reply}{config}{tunnels}, 'opaqueChild: none');

    my $few = $as->('few');
    ok($few->{reply}{ok}, 'maxTunnels: 1');
    ok($coordinator->('few')->{reply}{ok}, 'a coordinator does not count');
    $few->close();

    my $plain = $as->('alice', name => 'other');
    is_deeply($plain->{reply}{config}{tunnels}, $list, 'a tunnel gets it, too');
    my $child = $as->('alice', name => 'child',
                      fields => { opaqueChild => JSON::PP::true() });
    ok($child->{reply}{ok} && !exists $child->{reply}{config}{tunnels},
       'one with opaqueChild does not');
    ok(!exists $as->('none')->{reply}{config}{tunnels}, 'nothing listed');

    my $token = $t->login(secret => 'xyzzy-shared', fields => { type => '' });
    ok($token->{reply}{ok} && !exists $token->{reply}{config}{tunnels},
       'a coordinator by the token');

    is($t->login(port => undef, auth => 'public', connect =>
                 { port => $t->port('public') }, fields => { type => '' })
         ->{reply}{message},
       'invalid client: public auth is only allowed for http tunnel',
       'not without a log-in');
    is($coordinator->('alice', signature => 'x')->{reply}{message},
       'invalid signature', 'nor with a wrong secret');
    is($coordinator->('alice', access => { allow => [ '::1' ] })
         ->{reply}{message},
       'without a tunnel there are no visitors to have rules for',
       'no rules for visitors');

    # who gets in

    my $try = sub {
        my ($host, @headers) = @_;

        return $t->get('/echo', host => "$host.example.com",
                       headers => \@headers);
    };

    my @served;
    my $serve = sub {
        my ($id, $name, %opt) = @_;
        my $client = $t->client({ env => { CREDENTIALS => "$id:xyzzy-$id" } },
                                'client', '-r', '127.0.0.1:' . $t->port(0),
                                @{$opt{args} || []}, '-s', $name, 'http',
                                $opt{upstream} || $web->upstream);
        ok($client->wait_up(), "$name is up");
        push @served, $client;

        return $client;
    };

    my $served = $serve->('alice', 'web');
    my $r = $try->('web');

    is($r->{status}, 401, 'no password');
    is_deeply($r->{headers}{'www-authenticate'},
              'Basic realm="inlets", Bearer', 'WWW-Authenticate');
    like($r->{body}, qr/This tunnel asks for a user name/, 'page');
    is($web->requests, 0, 'the local service saw nothing');

    for (1 .. 2 * $workers) {
        is($try->('web', basic('ann:xyzzy:ann'))->{status}, 200, 'basic');
        is($try->('web', bearer('xyzzy-token'))->{status}, 200, 'bearer');
        is($try->('web', basic('ann:xyzzy-bob'))->{status}, 401, 'another');
    }

    like($try->('web', bearer('xyzzy-token'))->{body},
         qr/authorization: Bearer xyzzy-token/i, 'the service sees the header');
    is($try->('web', authorization => 'bEaReR   xyzzy-token')->{status}, 200,
       'scheme in any case');

    for my $wrong ('Bearer', 'Bearer ', 'Bearer xyzzy-toke',
                   'Bearer xyzzy-token ', 'Bearer ann:xyzzy:ann',
                   'Bearer bob:xyzzy-bob', 'Bearer ' . 'x' x 600,
                   'Bearerxyzzy-token', 'xyzzy-token', 'Digest xyzzy-token',
                   'Basic xyzzy-token', 'Basic '
                   . encode_base64('xyzzy-token', ''), '')
    {
        $r = $try->('web', authorization => $wrong);

        # nginx itself takes spaces at the end away
        is($r->{status}, $wrong =~ / $/ && $wrong =~ /token/ ? 200 : 401,
           "'" . substr($wrong, 0, 30) . "'");
    }

    # which some versions of nginx refuse themselves, and log
    is($try->('web', bearer('a'), bearer('a'))->{status}, 400, 'two headers');

    # not the entry of another name; without a name by the service's port

    $serve->('alice', 'free');
    is($try->('free')->{status}, 401, 'the only one with users: for any other');
    $_->stop() for splice @served;

    # changes: coordinators and those who know the list are told

    $change->(entry('alice', [ $ssh_entry ]), entry('none'));

    for my $case ([ $c, 'coordinator' ], [ $plain, 'tunnel' ]) {
        my ($ws, $name) = @$case;

        is_deeply($ws->wait_event('@@CONFIG')->{tunnels} ||
                  $ws->wait_event('@@CONFIG')->{tunnels}, [ $list->[1] ],
                  "$name: told of the new list");
    }

    $change->(entry('alice'), entry('none', [ $ssh_entry ]));
    is_deeply($c->wait_event('@@CONFIG'), { tunnels => [],
              pingInterval => 15000, pingTimeout => 20000 }, 'no more');

    my $before = @{$c->{events}};
    $change->(entry('alice'), entry('none', [ $ssh_entry, $web_entry ]));
    $_->event('ping', undef) for $c, $child;
    ok($_->wait_event('pong'), 'others have changed') for $c, $child;
    is(scalar(grep { $_->[0] eq '@@CONFIG' }
                   @{$c->{events}}[$before .. $#{$c->{events}}]), 0,
       'nothing is told');
    is(scalar(grep { exists $_->[1]{tunnels} }
              grep { $_->[0] eq '@@CONFIG' } @{$child->{events}}), 0,
       'nor to one with opaqueChild, ever');

    # users that come, change and go with the settings

    my @plain = ('name: app', 'type: http', "upstream: $port",
                 'subDomain: app');
    my @app = ([ @plain ]);

    $change->(entry('alice', \@app));
    $served = $serve->('alice', 'app', args => [ '--basic-auth', 'own:pass',
                                                 '--deny-ip', '10.0.0.0/8' ]);
    is($try->('app')->{status}, 401, "the client's own password");
    is($try->('app', basic('own:pass'))->{status}, 200, 'lets in');

    $change->(entry('alice', [ [ @plain, @guard ] ]));
    for (1 .. 2 * $workers) {
        is($try->('app', basic('own:pass'))->{status}, 401, 'no longer');
        is($try->('app', bearer('xyzzy-token'))->{status}, 200,
           'those of the settings do');
    }

    $change->(entry('alice', [ [ @plain, 'auth: {users: [{type: bearer, '
                                         . 'token: xyzzy-2}]}' ] ]));
    is($try->('app', bearer('xyzzy-token'))->{status}, 401, 'another token');
    $r = $try->('app', bearer('xyzzy-2'));
    is($r->{status}, 200, 'which lets in');
    is_deeply($try->('app')->{headers}{'www-authenticate'}, 'Bearer',
              'and is asked for');

    # across a reload of nginx, and while the client is away

    $_->close() for $plain, $child, $token;
    $t->reload();
    is($try->('app', basic('own:pass'))->{status}, 401, 'after a reload');
    is($try->('app', bearer('xyzzy-2'))->{status}, 200, 'likewise');

    $change->(entry('alice', [ [ @plain, 'auth: {enable: false, users: '
                                 . '[{type: bearer, token: xyzzy-2}]}' ] ]));
    is($try->('app', bearer('xyzzy-2'))->{status}, 401, 'switched off');
    is($try->('app', basic('own:pass'))->{status}, 200,
       "the client's own password again");

    $change->(entry('alice', [ [ @plain, @guard ] ]));
    $served->stop();
    is($try->('app')->{status}, 401, 'client away: still asked');
    $serve->('alice', 'app', args => [ '--basic-auth', 'own:pass' ]);
    is($try->('app', basic('own:pass'))->{status}, 401, 'client back');
    like($served[-1]->output, qr/Visitors log in as the server's settings say/,
         'and told of it');
    $_->stop() for splice @served;

    # which entry: the name's own, whatever port the client says it has

    my @other = ([ @plain, @guard ],
                 [ 'name: any', 'type: http', 'upstream: 4001' ],
                 [ 'name: two', 'type: http', 'upstream: 4002',
                   'auth: {users: [{type: bearer, token: xyzzy-3}]}' ]);

    $change->(entry('alice', \@other), entry('bob'));

    for my $case ([ 'app', 4001, 'alice', 401 ], [ 'app', 0, 'alice', 401 ],
                  [ 'x', 4001, 'alice', 0 ], [ 'x', 4002, 'alice', 401 ],
                  [ 'x', 9999, 'alice', 0 ], [ 'app', 4001, 'bob', 0 ],
                  [ 'app', 4001, undef, 401 ], [ 'y', 4002, undef, 401 ])
    {
        my ($name, $says, $id, $status) = @$case;
        my %login = (name => $name, fields => { port => $says });
        my $m = $id ? $as->($id, %login)
                    : $t->login(secret => 'xyzzy-shared', %login);
        my $link = $t->link($m);
        my $v = $t->connect();

        ok($m->{reply}{ok}, "$name by " . ($id || 'token') . ", port $says");
        $v->send_request('GET', '/', host => "$name.example.com");

        if ($status) {
            is($v->read_response()->{status}, $status, 'asked');

        } else {
            my $stream = $link->accept();
            $stream->read_until(qr/\r\n\r\n/);
            $stream->respond(200, 'x');
            is($v->read_response()->{status}, 200, 'not asked');
        }

        $t->mark();
        $m->close();
        ok($t->wait_log(qr/tunnel $m->{reply}{containerId} .* ended/),
           'ended');
    }

    # what clients of other makers ask visitors for

    my $ingress = { type => 'basic', username => 'u', password => 'p' };
    my $m = $as->('bob', name => 'ingress',
                  fields => { httpIngressBasic => $ingress });
    my $link = $t->link($m);

    is($try->('ingress')->{status}, 401, 'httpIngressBasic: asked');
    my $v = $t->connect();
    $v->send_request('GET', '/', host => 'ingress.example.com',
                     headers => [ basic('u:p') ]);
    my $stream = $link->accept();
    like($stream->read_until(qr/\r\n\r\n/), qr/^authorization: Basic /mi,
         'let in, and passed on');
    $stream->respond(200, 'x');
    is($v->read_response()->{status}, 200, 'response');

    for my $wrong ([], 'x', { type => 'digest', username => 'u' },
                   { username => '', password => 'p' },
                   { type => 'basic', username => 'a:b', password => 'p' },
                   { username => 1 })
    {
        is($as->('bob', fields => { httpIngressBasic => $wrong })
             ->{reply}{message}, 'invalid httpIngressBasic', 'refused');
    }

    is($as->('bob', name => 'mine', fields => { httpIngressBasic => $ingress,
             access => { basic => [ { username => 'a', password => 'b' } ] } })
         ->{reply}{ok}, JSON::PP::true(), 'together with other rules');

    # a coordinator's end

    $c->event('ping', undef);
    ok($c->wait_event('pong'), 'the coordinator still lives');
    ok((grep { $_->[0] eq 'drain' } @{$c->{events}}),
       'it was told to leave at the reload');
    $c->close();

    $c = $coordinator->('bob');
    $change->(entry('alice'));
    is_deeply($c->wait_event('error'), { fatal => JSON::PP::true(), message =>
              'client "bob" was removed from the settings of this server' },
              'removed: told');
    1 while defined $c->read_message(5);
    is(($c->{closed} || [])->[0], 1008, 'and closed');

    ok($t->log() !~ /xyzzy/, 'no secret in the log');

    $t->finish();
}
