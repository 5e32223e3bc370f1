# Tunnels that the settings list for a client: the list, without its secrets,
# for coordinators and others; who gets in to them; and changes of it all.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64;
use Test::More;

use Inlets::Test;
use Inlets::Test::Webhook;

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


my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 2, 4;

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


# What the file may say.

my $t = $t{2};

sub said {
    my ($text) = @_;

    $t->file('try.yml', $text);

    my ($good, $said) = $t->test_conf($t->edge(domain => '',
        token => 'inlets_config try.yml;')->read_file('nginx.conf'));
    my $path = $t->dir() . '/try.yml';

    ok($said !~ /xyzzy/, 'no secret is told');

    return ($good ? 1 : 0,
            map { /\[(?:emerg|warn)\] (?:\d+#\d+: )?\Q$path\E:(.*)/ ? $1 : () }
                split /\n/, $said);
}

# tunnels: entries in the flow style, in line 6 and on
sub wrong {
    my ($name, $tunnels, @expected) = @_;
    my @tunnels = ref $tunnels ? @$tunnels : $tunnels;
    my ($good, @said) = said("clients:\n- clientId: a\n  clientSecret: b\n"
        . "  allow: {subDomains: ['app*'], ports: [1-99]}\n  tunnels:\n"
        . join '', map { "  - {$_}\n" } @tunnels);

    is($good, 0, "$name: refused");
    is_deeply(\@said, \@expected, "$name: told");
}

my $http = 'name: w, type: http, upstream: 80';
my $tcp = 'name: s, type: tcp, upstream: 22';
my $at = 'clients[0].tunnels';
my $older = 'clients[].tunnels[].auths[]: is an older name of auth.users';

wrong('nothing', '', "6: ${at}[0].name: is missing, expected a name, 1 to 64 "
      . 'bytes', "6: ${at}[0].type: is missing, expected one of http, tcp",
      "6: ${at}[0].upstream: is missing, expected a port, host:port or URL, "
      . '1 to 512 bytes');
wrong('a name as flags have', 'name: -x, type: tcp, upstream: 1',
      "6: ${at}[0].name: expected a name that does not start with '-', as "
      . 'flags do');
wrong('no upstream', 'name: w, type: http, upstream: "a b:80"',
      "6: ${at}[0].upstream: expected a port, host:port or URL, found "
      . '"a b:80": invalid host');
wrong('a port too high', 'name: w, type: http, upstream: 65536',
      "6: ${at}[0].upstream: expected a port, host:port or URL, found "
      . '"65536": the port is not a number from 1 to 65535');
wrong('a label', "$http, subDomain: a.b",
      "6: ${at}[0].subDomain: expected a name such as app, found \"a.b\": "
      . 'invalid character in a name');
wrong('names twice', [ $http, $tcp, "$http, subDomain: app" ],
      "8: ${at}[2].name: is duplicate, the other is in line 6");
wrong('labels twice', [ "$http, subDomain: app", 'name: x, type: http, '
                        . 'upstream: 81, subDomain: APP' ],
      "7: ${at}[1].subDomain: is duplicate, the other is in line 6");
wrong('ports twice', [ "$tcp, remotePort: 7", 'name: x, type: tcp, upstream: '
                       . '81, remotePort: 7' ],
      "7: ${at}[1].remotePort: is duplicate, the other is in line 6");
wrong('a label not allowed', "$http, subDomain: other",
      "6: ${at}[0].subDomain: is not one of allow.subDomains");
wrong('a port not allowed', "$tcp, remotePort: 100",
      "6: ${at}[0].remotePort: is not one of allow.ports");
wrong('http keys', "$tcp, subDomain: app, hostHeader: x, auths: "
      . '[{type: bearer, token: xyzzy}]',
      "6: ${at}[0].subDomain: is only for http tunnels",
      "6: ${at}[0].hostHeader: is only for http tunnels",
      "6: ${at}[0].auths: is only for http tunnels", "6: $older");
wrong('tcp keys', "$http, remotePort: 9",
      "6: ${at}[0].remotePort: is only for tcp tunnels");
wrong('a host', "$http, hostHeader: 'a b'",
      "6: ${at}[0].hostHeader: expected a host such as localhost:3000, found "
      . '"a b"');
wrong('both places', "$http, auth: {enable: false}, auths: []",
      "6: ${at}[0].auths: is given as well as \"auth\" in line 6, expected "
      . 'one of them', "6: $older");
wrong('no users', "$http, auth: {enable: true}",
      "6: ${at}[0].auth: expected \"users\", or \"enable: false\"");
wrong('users: none', "$http, auth: {users: []}",
      "6: ${at}[0].auth: expected \"users\", or \"enable: false\"");
wrong('half a user', "$http, auth: {users: [{type: basic}, {type: bearer}, "
      . '{username: x}]}',
      "6: ${at}[0].auth.users[0].username: is missing, expected a user name",
      "6: ${at}[0].auth.users[0].password: is missing, expected a password",
      "6: ${at}[0].auth.users[1].token: is missing, expected a token",
      "6: ${at}[0].auth.users[2].type: is missing, expected one of basic, "
      . 'bearer');
wrong('mixed users', "$http, auth: {users: [{type: basic, username: a, "
      . 'password: xyzzy, token: xyzzy}, {type: bearer, token: xyzzy, '
      . 'password: xyzzy}]}',
      "6: ${at}[0].auth.users[0].token: is only for type bearer",
      "6: ${at}[0].auth.users[1].password: is only for type basic");
wrong('users that no header holds', "$http, auth: {users: [{type: basic, "
      . 'username: "a:b", password: xyzzy}, {type: bearer, token: "xyzzy y"}, '
      . '{type: basic, username: ' . 'a' x 300 . ', password: '
      . 'x' x 300 . '}]}',
      "6: ${at}[0].auth.users[0].username: expected a user name without a "
      . 'colon', "6: ${at}[0].auth.users[1].token: expected a token of ASCII "
      . 'characters without spaces',
      "6: ${at}[0].auth.users[2].password: is too long, expected at most 511 "
      . 'bytes together with the user name');
wrong('many users', "$http, auth: {users: ["
      . join(', ', ('{type: bearer, token: xyzzy}') x 17) . ']}',
      "6: ${at}[0].auth.users: expected at most 16 users");
wrong('many tunnels', [ map { "name: n$_, type: tcp, upstream: 1" } 1 .. 1001 ],
      '2: clients[0].tunnels: expected at most 1000 tunnels, found 1001');
wrong('a list too long', [ map { "name: n$_, type: http, upstream: 1, "
                                 . 'hostHeader: ' . 'a.' x 100 . 'a' }
                               1 .. 900 ],
      '2: clients[0].tunnels: is too long, expected at most 196608 bytes of '
      . 'JSON to send, found 235693');

my ($good, @warned) = said("clients:\n- clientId: a\n  clientSecret: b\n"
    . "  tunnels:\n  - {name: w, type: http, upstream: 80, auths: "
    . "[{type: bearer, token: xyzzy}]}\n"
    . "  - {name: x, type: http, upstream: '[::1]:81', subDomain: '', "
    . "remotePort: 0, auth: }\n");
is($good, 1, 'an older file');
is_deeply(\@warned, [ "5: $older" ], 'is warned of');


# A long list reaches its client, and what it has changed to.  Nobody is told
# of coordinators; one that is silent is cut off.

my $hook = Inlets::Test::Webhook->start($t);

my $write = sub {
    my ($n, $more) = @_;

    $t->mark();
    $t->file('new.yml', ($more || '') . "notification: {provider: webhook, "
        . 'url: "' . $hook->url('/x') . "\"}\nclients:\n"
        . entry('alice', [ map { [ "name: n$_", 'type: http', 'upstream: 1',
                                   'hostHeader: ' . 'a.' x 60 . 'a' ] }
                               1 .. $n ]));
    rename $t->dir . '/new.yml', $t->dir . '/try.yml' or die $!;
};

$write->(1000);
$t->edge(domain => 'inlets_domain example.com;',
         token => 'inlets_config try.yml;')->run();

my %alice = (auth => 'credentials', client => 'alice',
             secret => 'xyzzy-alice');
my $c = $t->login(%alice, fields => { type => '' });

is(scalar @{$c->{reply}{config}{tunnels}}, 1000, 'a thousand tunnels');
is_deeply([ sort keys %{$c->wait_event('@@CONFIG')} ],
          [ 'pingInterval', 'pingTimeout' ], 'once');

for my $n (1, 999) {
    $write->($n);
    is(scalar @{($c->wait_event('@@CONFIG') || {})->{tunnels} || []}, $n,
       "changed: $n");
}

ok($t->login(%alice, name => 'real')->{reply}{ok}, 'a tunnel');
ok($hook->wait_post(0, 'client_online'), 'is told of');

$write->(1, "heartbeat: {interval: 200ms, timeout: 1s}\n");
my $config = $c->wait_event('@@CONFIG');
is($config->{pingInterval}, 200, 'heartbeat');
is(scalar @{$config->{tunnels}}, 1, 'and the tunnels');
ok($t->wait_log(qr/coordinator \S+ client alice ended: client is silent/),
   'silent');
ok($c->ended(), 'closed');
ok($hook->wait_post(0, 'client_offline'), 'the tunnel has ended');
is_deeply([ map { $_->{json}{host} } map { $hook->posts("client_$_") }
                                         'online', 'offline' ],
          [ ('real.example.com') x 2 ], 'nobody is told of coordinators');

$t->finish();
