# The settings file: what it may say, what is wrong with it, who gets in.

use strict;
use warnings;

use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;

my $t = Inlets::Test->new(workers => 2);
my $web = $t->service('http');

# the example of the reference's README
my $reference = <<'END';
domain: example.com
port: 8080
tcpPort: 8443
secure: true
token: your-token

clients:
  - clientId: client1
    clientSecret: secret1
    config:
      version: "2.0.0"
    bandwidthLimit:
      upload: 1024000    # 1MB/s
      download: 1024000  # 1MB/s

bandwidthLimits:
  global:
    upload: 51200000      # 512KB/s
    download: 51200000    # 512KB/s
  clients:
    client1:
      upload: 1024000
      download: 1024000
END

my $everything = $reference . <<'END';

notification:
  provider: Lark
  url: https://open.feishu.cn/open-apis/bot/v2/hook/xxx
  secret: very-secret
  language: zh
  interval: 60
  alert: true
publicHTTP: { enabled: true, timeout: 10m, warnLead: 2m0s }
auth: { maxDrift: 5m }
heartbeat: { interval: 15s, timeout: 1m }
END

my $edge = sub {
    my ($path, %part) = @_;

    return $t->edge(domain => '', token => "inlets_config $path;", %part)
             ->read_file('nginx.conf');
};


# What nginx -t says of a text: a list of "line: key: message".

sub said {
    my ($text, %part) = @_;

    $t->file('try.yml', $text);

    my ($good, $said) = $t->test_conf($edge->('try.yml', %part));
    my $path = $t->dir() . '/try.yml';

    return ($good ? 1 : 0,
            map { /\[(?:emerg|warn)\] (?:\d+#\d+: )?\Q$path\E:(.*)/ ? $1 : () }
                split /\n/, $said);
}

sub wrong {
    my ($name, $text, @expected) = @_;
    my ($good, @said) = said($text);

    is($good, 0, "$name: refused");
    is_deeply(\@said, \@expected, "$name: told");
}

sub right {
    my ($name, $text) = @_;
    my ($good, @said) = said($text);

    ok($good, "$name: accepted") or diag(join "\n", @said);
}


# Good files.

right('the reference example', $reference);
right('all keys', $everything);
right('JSON', '{"token": "x", "clients": []}');
right('both spellings of limits',
      "bandwidthLimits:\n  global: {uploadbytespersecond: 5000,"
      . " downloadbytespersecond: 5k}\n");
right('publicHTTPNoAuth', 'publicHTTPNoAuth: {timeout: 10m0s}');
right('names and ports',
      'clients: [{clientId: a, clientSecret: b, allow: {subDomains: '
      . '[app, "dev-*", "*"], ports: [1, 20000-20099, "65535"]}, '
      . 'maxTunnels: 3, maxStreams: 100, disabled: false}]');

for my $name (qw(dingtalk ding feishu lark wecom wechat wework slack webhook
                 DingTalk))
{
    right("provider $name",
          "notification: {provider: $name, url: 'https://x.example/y'}");
}


# Errors: file, line, key, what was expected; all at once.

wrong('a wrong type', "token: x\nport: many\n",
      '2: port: expected a whole number, 1 to 65535, found "many"');
wrong('out of bounds', "port: 0\ntcpPort: 65536\n",
      '1: port: expected a whole number, 1 to 65535, found "0"',
      '2: tcpPort: expected a whole number, 1 to 65535, found "65536"');
wrong('no boolean', 'secure: 1',
      '1: secure: expected true or false, found "1"');
wrong('nothing', 'token:',
      '1: token: expected a secret, 1 to 1024 bytes, found nothing');
wrong('a list for text', 'token: [a]',
      '1: token: expected a secret, 1 to 1024 bytes, found a list');
wrong('no time', 'auth: {maxDrift: 300}',
      '1: auth.maxDrift: expected a time such as 30s or 1m30s, 0 to 7d, '
      . 'found "300"');
wrong('heartbeat', "heartbeat:\n  interval: 30s\n  timeout: 30s\n",
      '2: heartbeat.timeout: expected more than heartbeat.interval, 30000ms');
wrong('no domain', 'domain: https://example.com',
      '1: domain: expected a domain such as example.com, without scheme, port '
      . 'or wildcard, found "https://example.com"');
wrong('a small limit', 'bandwidthLimits: {global: {upload: 100}}',
      '1: bandwidthLimits.global.upload: expected at least 1024 bytes per '
      . 'second, or 0 for no limit, found 100');
wrong('no provider', "notification:\n  provider: email\n  url: ftp://x.y\n",
      '2: notification.provider: expected one of dingtalk, feishu, wecom, '
      . 'slack, webhook, found "email"',
      '3: notification.url: expected an http:// or https:// URL');
wrong('no URL', "notification:\n  provider: slack\n",
      '2: notification.url: is missing, expected an http:// or https:// URL, '
      . '8 to 2048 bytes');
wrong('a secret for slack', 'notification: {provider: slack, secret: abc, '
      . 'url: "https://x.example"}',
      '1: notification.secret: this provider has no signed messages, expected '
      . 'no secret');

wrong('unknown keys', "tokn: x\nclients:\n- clientid: a\n  clientSecret: b\n"
      . "maxTunnels: 5\n",
      '1: unknown key "tokn", did you mean "token"?',
      '3: clients[0]: unknown key "clientid", did you mean "clientId"?',
      '3: clients[0].clientId: is missing, expected an id, 1 to 64 bytes',
      '5: unknown key "maxTunnels", did you mean "clients[].maxTunnels"?');
wrong('an unknown key like none', "auth:\n  zzzzzzzz: 1\n",
      '2: auth: unknown key "zzzzzzzz", expected one of maxDrift');

wrong('duplicates', <<'END',
token: a
token: b
clients:
  - clientId: x
    clientSecret: s
  - clientId: x
    clientSecret: t
bandwidthLimits:
  clients:
    x: {upload: 1m}
    x: {upload: 2m}
END
      '2: token: is duplicate',
      '6: clients[].clientId: "x" is duplicate, the other is in line 4',
      '11: bandwidthLimits.clients: "x" is duplicate');

wrong('clients', <<'END',
clients:
  - clientId: a:b
    clientSecret: s
  - clientId: nosecret
  - just text
  - clientId: c
    clientSecret: s
    config: text
    allow:
      subDomains: [a_b, -a, "*.x"]
      ports: [0, 10-5, x, 1-70000]
END
      '2: clients[0].clientId: expected a client id of 1 to 64 bytes without '
      . 'a colon',
      '4: clients[1].clientSecret: is missing, expected a secret, or a file '
      . 'with it as "clientSecretFile"',
      '5: clients[2]: expected "key: value"',
      '8: clients[3].config: expected a map, found "text"',
      (map { '10: clients[3].allow.subDomains: expected a name such as app or '
             . "dev-*, found \"$_\"" } 'a_b', '-a', '*.x'),
      (map { '11: clients[3].allow.ports: expected a port or range such as '
             . "20022 or 20000-20099, from 1 to 65535, found \"$_\"" }
           '0', '10-5', 'x', '1-70000'));

{
    my ($good, @said) = said("token: 'to\x07psecret'\nclients:\n"
        . "- {clientId: a, clientSecret: [topsecret]}\n"
        . "notification: {provider: x, url: topsecret}\n");

    is($good, 0, 'secrets: refused');
    ok(!grep(/topsecret/, @said), 'secrets: not told');
}

wrong('no YAML', "token: x\nclients: [a\nport: 1\n",
      '2: clients[0]: expected "key: value"',
      "3:5: did not find expected ',' or ']', while parsing a flow sequence");
wrong('empty', '', ' the file holds no keys');
wrong('only comments', "# token: x\n", ' the file holds no keys');
wrong('text', 'token', '1: expected "key: value"');
wrong('aliases', "token: &a x\ndomain: *a\n",
      '1: anchors (&), aliases (*) and tags (!) can\'t be used here; a text '
      . 'that starts so needs quotes');
wrong('deep', 'clients: [{config: {a: ' . '[' x 100,
      '1: clients[0].config: nested deeper than 16 levels');

{
    my ($good, @said) = said(join '', map { "zzz$_: 1\n" } 1 .. 200);

    is($good, 0, 'many errors: refused');
    is(scalar @said, 51, 'many errors: fifty, and that there are more');
    like($said[50], qr/too many errors/, 'many errors: told');
}

{
    my ($good, @said) = said("clients:\n- {clientId: a, clientSecret: b}\n"
                             . "bandwidthLimits: {clients: {c: {}}}\n");

    is($good, 1, 'a limit for nobody: accepted');
    is_deeply(\@said, ['3: bandwidthLimits.clients: there is no client "c"'],
              'a limit for nobody: warned of');
}


{
    my ($good, @said) = said("notification:\n  provider: slack\n"
        . "  url: https://x.example/\n  interval: 60\n  alert: true\n");

    is($good, 1, 'keys of another server: accepted');
    is_deeply(\@said, ['4: notification.interval: has no effect',
                       '5: notification.alert: has no effect'],
              'keys of another server: warned of');
}


# Secrets in files, relative to the settings file.

mkdir $t->dir() . '/secrets' or die;
$t->file('secrets/token', "token-in-a-file\n");
$t->file('secrets/alice', "alice's secret\r\n");
$t->file('secrets/empty', "\n");
$t->file('secrets/lines', "a\nb\n");
$t->file('secrets/long', 'x' x 1025 . "\n");

right('files', "tokenFile: secrets/token\nclients:\n"
      . "  - clientId: alice\n    clientSecretFile: " . $t->dir()
      . "/secrets/alice\n");

wrong('text and file', "token: x\ntokenFile: secrets/token\nclients:\n"
      . "- clientId: a\n  clientSecretFile: secrets/alice\n"
      . "  clientSecret: x\n",
      '2: tokenFile: is given as well as its text in line 1, expected one of '
      . 'them',
      '6: clients[0].clientSecret: is given as well as its file in line 5, '
      . 'expected one of them');
wrong('no such file', 'tokenFile: nowhere',
      '1: tokenFile: "' . $t->dir() . '/nowhere" can\'t be opened (2: No such '
      . 'file or directory)');
wrong('a folder', 'tokenFile: secrets',
      '1: tokenFile: "' . $t->dir() . '/secrets" is not a regular file');

for my $name (qw(empty lines long)) {
    wrong("a file that is $name", "tokenFile: secrets/$name",
          '1: tokenFile: expected one line of 1 to 1024 bytes in "'
          . $t->dir() . "/secrets/$name\"");
}


# The directive.

{
    my ($good, $said) = $t->test_conf($edge->('nowhere.yml'));

    ok(!$good, 'a missing file is refused');
    like($said, qr{/nowhere\.yml: the file can't be opened \(2: No such },
         'and told');

    POSIX::mkfifo($t->dir() . '/pipe.yml', 0600) or die;
    ($good, $said) = $t->test_conf($edge->('pipe.yml'));
    ok(!$good, 'a pipe is not waited for');
    like($said, qr/pipe\.yml: the file is not a regular file/, 'and told');

    $t->file('long.yml', 'token: x #' . 'x' x (8 * 1024 * 1024));
    ($good, $said) = $t->test_conf($edge->('long.yml'));
    ok(!$good, 'a very long file is refused');
    like($said, qr/long\.yml: the file is too long/, 'and told');

    $t->file('good.yml', $reference);
    ($good, $said) = $t->test_conf($edge->('good.yml; inlets_config good.yml'));
    ok(!$good, 'twice in one place is refused');
    like($said, qr/"inlets_config" directive is duplicate/, 'and told');

    ($good, $said) = $t->test_conf($edge->('good.yml',
                         connect => 'inlets_config good.yml;',
                         server => 'inlets_config ' . $t->dir()
                                   . '/good.yml;'));
    ok($good, 'the same file at several levels') or diag($said);
}


# Who gets in.

$t->file('server.yml', <<'END');
domain: example.com
secure: true
tokenFile: secrets/token
clients:
  - clientId: alice
    clientSecretFile: secrets/alice
    config:
      version: "2.0.0"
      notification: {provider: slack, n: [1, 2.5, true, null]}
  - clientId: bob
    clientSecret: bob's secret
    disabled: true
END

$edge->('server.yml', servers => 'server {
                                      listen 127.0.0.1:%%PORT_other%%;
                                      inlets_domain example.org;
                                      inlets_token one-more;
                                      location / { inlets_connect edge; }
                                  }');
$t->run();

my $ws = $t->login(secret => 'token-in-a-file', name => 'demo');

ok($ws->{reply}{ok}, 'the token of a file lets in');
is($ws->{reply}{url}, 'https://demo.example.com',
   'domain and secure make the URL');

$ws = $t->login(secret => 'your-token');
is($ws->{reply}{message}, 'invalid signature', 'another token does not');

$ws = $t->login(auth => 'credentials', client => 'alice',
                secret => "alice's secret", name => 'al');
ok($ws->{reply}{ok}, 'credentials let in');
is($ws->{reply}{clientId}, 'alice', 'with their id');
is_deeply($ws->{reply}{config}{notification},
          { provider => 'slack', n => [1, 2.5, JSON::PP::true, undef] },
          'the notification of the entry is sent');

for my $case (['a wrong secret', 'alice', 'x'],
              ["the token as a client's secret", 'alice', 'token-in-a-file'],
              ['an unknown id', 'carol', 'x'],
              ['no id', '', 'x'],
              ['a disabled client', 'bob', "bob's secret"])
{
    my ($name, $id, $secret) = @$case;

    $ws = $t->login(auth => 'credentials', client => $id, secret => $secret);
    ok(!$ws->{reply}{ok}, "$name: refused");
}

$ws = $t->login(connect => { port => $t->port('other') }, name => 'demo',
                secret => 'one-more');
ok($ws->{reply}{ok}, 'the token of a directive lets in as well');
like($ws->{reply}{url}, qr{^https://demo\.example\.org$},
     'the domain of a directive wins');

$ws = $t->login(connect => { port => $t->port('other') }, name => 'other',
                secret => 'token-in-a-file');
ok($ws->{reply}{ok}, 'beside the token of the file');

my $client = $t->client({ env => { CREDENTIALS => "alice:alice's secret" } },
                        'client', '-r', 'ws://127.0.0.1:' . $t->port(),
                        '-s', 'real', 'http', $web->upstream());
ok($client->wait_up(), 'the client logs in with credentials');
is($t->get('/', host => 'real.example.com')->{status}, 200, 'and serves');


# Many clients, with their secrets in the file and outside.

my $many = 10_000;

$t->file('many.yml', "domain: example.com\nclients:\n" . join '', map {
    "  - clientId: client-$_\n    clientSecret: secret-$_\n"
    . "    config: {version: \"2.0.0\"}\n"
    . "    allow: {subDomains: ['app-$_', 'dev-$_-*']}\n"
    . "    bandwidthLimit: {upload: 1m, download: 1m}\n"
} 1 .. $many);

my $from = time();
my ($good, $said) = $t->test_conf($edge->('many.yml'));
my $took = time() - $from;

ok($good, 'ten thousand clients') or diag($said);
cmp_ok($took, '<', 5, 'are read in seconds');

$t->reload();

for my $n (1, int($many / 2), $many) {
    $ws = $t->login(auth => 'credentials', client => "client-$n",
                    secret => "secret-$n", name => "app-$n");
    ok($ws->{reply}{ok}, "client $n is let in");
}

$ws = $t->login(auth => 'credentials', client => 'client-' . ($many + 1),
                secret => 'secret-1');
ok(!$ws->{reply}{ok}, 'one more is not');

unlike($t->log(), qr/very-secret|token-in-a-file|alice's secret|secret-1\b/,
       'no secret is in the log');

$t->finish();
