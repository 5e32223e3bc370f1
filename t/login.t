# Login and registration: who may, which name or port, and what is said.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha512_hex);
use JSON::PP;
use Test::More;

use Inlets::Test;
use Inlets::Test::WebSocket;

my $t = Inlets::Test->new(workers => 2);

$t->edge(
    http => 'inlets_max_drift 0; inlets_auth_attempts 0;',
    tcp_ports => 2,
    domain => '',
    server => 'inlets_domain example.com;',
    token => 'inlets_token %%SECRET%%; inlets_token test-token-123;',
    servers => 'server {
                    listen 127.0.0.1:%%PORT_public%%;
                    inlets_domain example.com;
                    inlets_public on;
                    inlets_max_links 4;
                    location /_/ { inlets_connect edge; }
                }
                server {
                    listen 127.0.0.1:%%PORT_url%%;
                    inlets_domain example.com;
                    inlets_url https://*:8443/;
                    location /_/ { inlets_connect edge; }
                }
                server {
                    listen 127.0.0.1:%%PORT_nodomain%%;
                    location /_/ { inlets_connect edge; }
                }',
)->run();

my $secret = $t->secret;
my $tcp = $t->port('tcp', 2);
my $uuid = qr/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;


sub refused {
    my ($name, $message, %opt) = @_;
    my $ws = $t->monitor(%{delete $opt{connect} || {}});

    $ws->authenticate(secret => $secret, %opt);
    is_deeply($ws->{reply}, { message => $message, ok => JSON::PP::false },
              "$name: refused");
    ok(!defined $ws->read_message() && !$ws->{closed} && $ws->ended(),
       "$name: closed without a Close frame");
}

sub accepted {
    my ($name, %opt) = @_;
    my $ws = $t->login(%opt);

    ok($ws->{reply}{ok}, "$name: accepted") or diag $ws->{reply}{message};

    return $ws;
}


# The reply, as it is on the wire.

my $ws = $t->monitor();
$ws->read_message();
$ws->event('authenticate', $ws->claim(secret => $secret, name => 'Exact'));
like($ws->read_message(), qr/^\["authenticate",\{
     "clientId":"anonymous-[0-9a-f]{8}",
     "config":\{"version":"2\.0\.0","negotiatedCapabilities":
         \{"flags":65536,"version":"2\.0\.0","features":
             \{"mux":\{"version":1,"links":2,"window":1048576\}\}\}\},
     "containerId":"$uuid",
     "ok":true,
     "url":"http:\/\/exact\.example\.com:\d+",
     "version":"2\.0\.0"\}\]$/x, 'reply');
is($ws->read_message(), '["@@CONFIG",{"pingInterval":15000,'
                        . '"pingTimeout":20000}]', '@@CONFIG');
$ws->close();

$ws = accepted('no name', name => undef);
like($ws->{reply}{url}, qr{^http://[a-z0-9]{8}\.example\.com:}, 'random name');

my $port = accepted('tcp', type => 'tcp');
ok(!exists $port->{reply}{url}, 'tcp: no URL');
my $ready = $port->wait_event('tcp:ready');
is($ready->{host}, 'example.com', 'tcp:ready: host');
ok($ready->{port} == $tcp || $ready->{port} == $tcp + 1, 'tcp:ready: port');
my $other = $ready->{port} == $tcp ? $tcp + 1 : $tcp;


# Who.

refused('wrong secret', 'invalid signature', secret => 'wrong');
refused('no signature', 'invalid signature', fields => { signature => undef });
refused('short signature', 'invalid signature',
        fields => { signature => 'abc' });
refused('another timestamp', 'invalid signature',
        fields => { timestamp => 1773532800000 });
refused('timestamp as text', 'invalid timestamp',
        fields => { timestamp => '1773532800000' });
refused('no timestamp', 'invalid timestamp', fields => { timestamp => undef });
refused('huge timestamp', 'invalid timestamp', fields => { timestamp => 1e300 });
refused('fraction', 'invalid timestamp', fields => { timestamp => 1.5 });

accepted('second token', secret => 'test-token-123');
accepted('vector of the specification', fields => {
    timestamp => 1773532800000,
    signature => '5dac5c69c693b95691ab2423e406460c5adedaf61ad64f5cd049404e2197'
        . 'f489ae42fd4610d5d4b2c317deb08e523737abd09843971326031e88fa3799528070'
});
accepted('largest timestamp', fields => {
    timestamp => 9007199254740991,
    signature => hmac_sha512_hex('9007199254740991', $secret) });
accepted('no authType', fields => { authType => undef });

refused('unknown authType', 'invalid client: unknown authType "x"',
        auth => 'x');
refused('public, not enabled',
        'invalid client: public auth is not enabled on this server',
        auth => 'public');
refused('public tcp',
        'invalid client: public auth is only allowed for http tunnel',
        auth => 'public', type => 'tcp');

$ws = accepted('credentials', auth => 'credentials', client => 'client1',
               name => 'cred');
is($ws->{reply}{clientId}, 'client1', 'credentials: client id');
refused('credentials without id', 'invalid clientId', auth => 'credentials');

my %public = (connect => { port => $t->port('public') });

$ws = accepted('public', %public, auth => 'public');
like($ws->{reply}{clientId}, qr/^anonymous-[0-9a-f]{8}$/,
     'public: client id');
is($ws->{reply}{config}{negotiatedCapabilities}{features}{mux}{links}, 2,
   'as many links as offered');
refused('public with a name', 'subDomain is not allowed for public authType',
        %public, auth => 'public', name => 'mine');
refused('public, wrong signature', 'invalid signature', %public,
        auth => 'public', fields => { signature => 'a' x 128 });


# What.

for my $case ([ 'no object', '["authenticate","x"]' ],
              [ 'no payload', '["authenticate"]' ],
              [ 'type is a number', '["authenticate",{"type":1}]' ],
              [ 'control characters',
                '["authenticate",{"type":"http","version":"1\n2"}]' ],
              [ 'long version',
                '["authenticate",{"version":"' . '2' x 4000 . '"}]' ])
{
    $ws = $t->monitor();
    $ws->frame(1, $case->[1]);
    is(($ws->wait_event('authenticate') || {})->{message},
       'invalid authenticate message', $case->[0]);
    ok($ws->ended(), "$case->[0]: closed");
}

refused('unknown type', 'unknown tunnel type "udp"', type => 'udp');
refused('no MUX', 'this edge needs the MUX capability, which the client does '
        . 'not offer', flags => 95);
refused('no capabilities', 'this edge needs the MUX capability, which the '
        . 'client does not offer', fields => { capabilities => undef });

accepted('no type: it serves nothing', fields => { type => '' });

$ws = accepted('more flags', flags => 65536 + 95);
is($ws->{reply}{config}{negotiatedCapabilities}{flags}, 65536,
   'flags of both only');

$ws = accepted('many links', fields => { capabilities => { flags => 65536,
    version => '2.0.0', features => { mux => { version => 1, links => 99,
    window => 1 } } } });
is_deeply($ws->{reply}{config}{negotiatedCapabilities}{features}{mux},
          { version => 1, links => 8, window => 262144 }, 'bounded');

$ws = accepted('features missing', fields => { capabilities =>
    { flags => 65536 } });
is_deeply($ws->{reply}{config}{negotiatedCapabilities}{features}{mux},
          { version => 1, links => 2, window => 4194304 }, 'defaults');

$ws = $t->monitor();
$ws->read_event();
$ws->event('authenticate', $ws->claim(secret => 'x',
                                      fields => { version => '1.2.0' }));
is_deeply($ws->read_event(), [ 'warn', 'Warning: client version(1.2.0) should '
                               . 'be >= server(2.0.0)' ], 'old version');
is($ws->read_event()->[0], 'authenticate', 'before the reply');


# Names and ports.

my $holder = accepted('name', name => 'Taken');
like($holder->{reply}{url}, qr{^http://taken\.example\.com:}, 'lower case');
refused('name in use', 'domain id has been used, please use another',
        name => 'taken') for 1 .. 4;

$t->mark();
$holder->close();
ok($t->wait_log(qr/tunnel \S+ client \S+ ended: client closed connection/),
   'ended');
$holder = accepted('name is free at once', name => 'taken');

for my $name ('a.b', 'a_b', 'x' x 64, 'xn--a', ' ', "\x{e9}") {
    $ws = $t->monitor();
    $ws->authenticate(secret => $secret, name => $name);
    like($ws->{reply}{message}, qr/^invalid subDomain: \w/, 'invalid name');
}

refused('name past all bounds', 'invalid authenticate message',
        name => 'x' x 300);

my $resumed = accepted('resume', name => 'taken',
                       resume => $holder->{reply}{containerId});
isnt($resumed->{reply}{containerId}, $holder->{reply}{containerId}, 'new id');
$t->mark();
$holder->close();
ok($t->wait_log(qr/tunnel $holder->{reply}{containerId} .* ended/),
   'older session ended');
refused('name is still held', 'domain id has been used, please use another',
        name => 'taken');
refused('resume of an ended session',
        'domain id has been used, please use another', name => 'taken',
        resume => $holder->{reply}{containerId});
refused('resume by another identity',
        'domain id has been used, please use another', name => 'taken',
        auth => 'credentials', client => 'thief',
        resume => $resumed->{reply}{containerId});
accepted('resume of nonsense', name => 'nonsense', resume => 'nonsense');

my %url = (connect => { port => $t->port('url') });

$ws = accepted('inlets_url', %url, name => 'url');
is($ws->{reply}{url}, 'https://url.example.com:8443/', 'URL as configured');

$ws = accepted('no inlets_domain', name => 'nodomain', connect =>
               { port => $t->port('nodomain'), host => 'Edge.Test:9' });
like($ws->{reply}{url}, qr{^http://nodomain\.edge\.test:\d+$},
     'names in the domain that the client dialled');

refused('port in use', "port $ready->{port} is in use, please use another",
        type => 'tcp', port => $ready->{port});
refused('port of another', 'port 1 is not offered by this server',
        type => 'tcp', port => 1);
refused('invalid port', 'invalid tunnelPort', type => 'tcp', port => 65536);

$ws = accepted('port', type => 'tcp', port => $other);
is($ws->wait_event('tcp:ready')->{port}, $other, 'as asked for');
refused('all in use', 'no free port', type => 'tcp');


# Once.

$ws = accepted('once', name => 'once');
$ws->event('authenticate', $ws->claim(secret => $secret, name => 'twice'));
is_deeply($ws->wait_event('error'),
          { message => 'authenticate was sent twice' }, 'twice');
ok($ws->ended(), 'twice: closed');
accepted('and its name is free', name => 'once');


unlike($t->log(), qr/\Q$secret\E|test-token-123/, 'no secret in the log');

$t->finish();
