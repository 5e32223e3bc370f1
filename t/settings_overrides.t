# inlets_config file overrides=other: settings that win over a settings file.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::Webhook;

my $t = Inlets::Test->new(workers => 2);
my $hook = Inlets::Test::Webhook->start($t);
my $other = Inlets::Test::Webhook->start($t);

sub edge {
    my ($token, %part) = @_;
    return $t->edge(domain => '', token => $token, tcp_ports => 0, %part);
}

sub write_settings {
    my ($more) = @_;

    $t->file('main.new', "domain: file.example\ntokenFile: token\n"
        . "secure: true\nauth: {maxDrift: 1m}\n"
        . "notification: {provider: dingtalk, url: '" . $other->url()
        . "', secret: x}\n$more");
    rename $t->dir() . '/main.new', $t->dir() . '/main.yml' or die;
}

sub wrong {
    my ($name, $regex, $token, %part) = @_;
    my ($good, $said) = $t->test_conf(edge($token, %part)
                                          ->read_file('nginx.conf'));

    ok(!$good, "$name: refused");
    like($said, $regex, "$name: told");
}

sub login {
    my (%opt) = @_;
    return $t->login(name => 'a' . ++$t->{names}, %opt)->{reply} || {};
}


$t->file('token', "of-the-file\n");
write_settings('');
my $over = "domain: over.example\ntoken: of-the-other\nsecure: false\n"
           . "notification: {provider: slack, url: '" . $hook->url() . "'}\n";


# Errors.

wrong('parameter', qr/invalid parameter "over=x", expected "overrides=path"/,
      'inlets_config main.yml over=x;');
wrong('no path', qr/invalid parameter "overrides="/,
      'inlets_config main.yml overrides=;');
wrong('no file', qr/open\(\) "\S+\/none\.yml" failed/,
      'inlets_config main.yml overrides=none.yml;');
wrong('too long', qr/"\S+\/long\.yml" can't be read, or are longer than 65536/,
      'inlets_config main.yml overrides='
      . ($t->file('long.yml', "#\n" x 40000) && 'long.yml;'));
wrong('a fault', qr/bad\.yml:2: unknown key "tokne", did you mean "token"\?/,
      'inlets_config main.yml overrides='
      . ($t->file('bad.yml', "domain: a.example\ntokne: x\n") && 'bad.yml;'));

$t->file('over.yml', $over);
wrong('two kinds', qr/can't have other "overrides" here than elsewhere/,
      'inlets_config main.yml overrides=over.yml;',
      server => 'location /more/ { inlets_connect edge;'
                . ' inlets_config main.yml; }');


# What wins, at the start and after a change.

edge('inlets_config main.yml overrides=over.yml;',
     server_name => 'server_name _;')->run();

ok($hook->wait_post(0), 'its notification');
is(scalar $other->posts(), 0, 'not that of the file');

my $reply = login(secret => 'of-the-other');
ok($reply->{ok}, 'its token');
like($reply->{url}, qr{^http://a\d+\.over\.example}, 'its domain');
ok(!login(secret => 'of-the-file')->{ok}, 'not the token of the file');

my $mark = $hook->posts();
write_settings("clients: [{clientId: bob, clientSecret: b}]\n");
$t->wait_log(qr/main\.yml" read again, clients: 1/);
ok($hook->wait_post($mark), 'told of the change');

ok(login(secret => 'b', auth => 'credentials', client => 'bob')->{ok},
   'what is new');
ok(login(secret => 'of-the-other')->{ok}, 'the token after a change');
ok(!login(secret => 'of-the-file')->{ok}, 'and not that of the file');


# It is read with the configuration only.

$t->file('over.yml', "token: third\n");
$t->reload();
ok(login(secret => 'third')->{ok}, 'a reload reads it again');
like(login(secret => 'third')->{url}, qr{^https://a\d+\.file\.example},
     'domain and scheme of the file');

unlike($t->log(), qr/of-the-other|of-the-file|third/, 'no secrets in the log');

$t->finish();
