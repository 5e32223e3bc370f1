# Notifications: each event once, each provider's messages, receivers that are
# slow, dead or refuse, and no waiting anywhere.

use strict;
use warnings;
use utf8;

use Digest::SHA qw(hmac_sha256_base64 hmac_sha256_hex);
use Test::More;
use Time::HiRes qw(sleep time);

use Inlets::Test;
use Inlets::Test::Webhook;

my $builder = Test::More->builder;
binmode $_, ':utf8' for $builder->output, $builder->failure_output;

my %test = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;
my $messages = Inlets::Test->new();
my $failing = Inlets::Test->new();
my $tls = Inlets::Test->new(level => 'debug');
my $full = Inlets::Test->new();
my $dying = Inlets::Test->new(workers => 2);


# The settings file; url "" is none.

sub settings {
    my ($t, $url, %key) = @_;
    my $text = "token: shared\nclients:\n- clientId: alice\n"
               . "  clientSecret: secret-alice\n";

    $key{provider} ||= 'webhook';
    $key{url} = "'$url'";

    my $more = delete $key{more} || '';
    $text .= "notification:\n"
             . join '', map { "  $_: $key{$_}\n" } sort keys %key if $url;

    $t->file('server.yml.new', $text . $more);
    rename $t->dir() . '/server.yml.new', $t->dir() . '/server.yml' or die;
}


sub run_edge {
    my ($t, %part) = @_;

    $t->edge(token => 'inlets_config server.yml;', %part)->run();
}


# Settings that are rejected: an event at any time.

sub cause {
    my ($t) = @_;
    $t->file('server.yml', 'wrong' . ++$t->{wrong} . ": 1\n");
}


sub events {
    my ($hook) = @_;
    my %count;

    $count{$_->{json}{event}}++ for $hook->posts();

    return join ' ', map { "$_:$count{$_}" } sort keys %count;
}


for my $workers (1, 4) {
    my $t = $test{$workers};
    my $hook = Inlets::Test::Webhook->start($t);
    my $web = $t->service('http');
    my $name = "$workers workers";

    settings($t, $hook->url('/hook?key=confidential'));
    run_edge($t);

    my $post = $hook->wait_post(0, 'server_started');
    is($post->{uri}, '/hook?key=confidential', "$name: URL");
    is($post->{method}, 'POST', "$name: method");
    is($post->{headers}{'content-type'}, 'application/json', "$name: type");
    like($post->{headers}{'user-agent'}, qr{^inlets/\d}, "$name: agent");
    is($post->{headers}{expect}, undef, "$name: nothing expected");
    like($post->{json}{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)$/,
         "$name: time");
    like($post->{json}{title}, qr/^\[Server\] started - \S+/, "$name: title");
    like($post->{json}{version}, qr/^\d+\.\d+\.\d+$/, "$name: version");

    my $client = $t->client('client', '-r', '127.0.0.1:' . $t->port(0),
                            '--credentials', 'alice:secret-alice', '-s',
                            'demo', 'http', $web->upstream);
    $client->wait_up();

    $post = $hook->wait_post(0, 'client_online')->{json};
    is("@$post{qw(client type auth host)}",
       'alice http credentials demo.example.com', "$name: client online");
    like($post->{tunnel}, qr/^[0-9a-f-]{36}$/, "$name: its tunnel");
    like($post->{version}, qr/^2\./, "$name: its version");

    # a client that moves to other workers has not been away

    $t->mark();
    $t->reload();
    wait_for { $t->log() =~ /tunnel \S+ client alice ended/ } 10, 'move';
    ok($client->wait_up(2), "$name: the client has moved");
    $t->wait_old();

    is(length $t->get('/bytes?n=100000', host => 'demo.example.com')->{body},
       100000, "$name: traffic") for 1, 2;

    $client->stop();

    $post = $hook->wait_post(0, 'client_offline')->{json};
    is("@$post{qw(client type auth host requests)}",
       'alice http credentials demo.example.com 2', "$name: client offline");
    cmp_ok($post->{down}, '>=', 200000, "$name: its traffic down");
    cmp_ok($post->{up}, '>', 0, "$name: its traffic up");
    cmp_ok($post->{seconds}, '<', 100, "$name: its time");
    like($post->{text}, qr/^Traffic: up [\d.]+ K?B, down 195\.\d\d KB, total/m,
         "$name: in words") if $post->{down} < 200600;

    my $tcp = $t->login(type => 'tcp', secret => 'shared',
                        port => $t->port('tcp'));
    is($hook->wait_post(1, 'client_online')->{json}{port}, $t->port('tcp'),
       "$name: TCP client online");
    $tcp->abort();
    is($hook->wait_post(1, 'client_offline')->{json}{auth}, 'token',
       "$name: TCP client offline");

    settings($t, $hook->url(), more => "maxDriftWrong: 1\n");
    $post = $hook->wait_post(0, 'settings_rejected')->{json};
    like($post->{reason}, qr/unknown key "maxDriftWrong"/,
         "$name: settings rejected, and why");
    like($post->{path}, qr{/server\.yml$}, "$name: of which file");

    settings($t, $hook->url(), language => 'en');
    is($hook->wait_post(0, 'settings_reloaded')->{json}{clients}, 1,
       "$name: settings reloaded");

    # with nginx's own reload, before a worker has seen the change

    settings($t, $hook->url(), language => 'zh');
    $t->reload();
    is($hook->wait_post(1, 'settings_reloaded')->{json}{title},
       '[服务端][配置] 已重新加载', "$name: nginx -s reload");
    $t->reload();
    $t->wait_old();

    # refused: told at the fifth, then no more

    for my $n (1 .. 4) {
        $t->login(auth => 'credentials', client => 'alice',
                  secret => "guess$n")->close();
    }

    sleep 0.3;
    is(scalar($hook->posts('login_refused')), 0, "$name: four refused logins");

    $t->login(auth => 'credentials', client => 'alice',
              secret => 'guess')->close() for 1 .. 3;

    $post = $hook->wait_post(0, 'login_refused')->{json};
    is("@$post{qw(client address attempts)}", 'alice 127.0.0.1 5',
       "$name: five refused logins");
    is($post->{reason}, 'invalid signature', "$name: why");

    sleep 0.5;

    is(events($hook), 'client_offline:2 client_online:2 login_refused:1 '
       . 'server_started:1 settings_rejected:1 settings_reloaded:2',
       "$name: each event once");

    my $log = $t->log();
    unlike($log, qr/confidential|guess/, "$name: nothing secret in the log");
    like($log, qr/notification "client_online" sent to webhook at 127\.0\.0\.1:\d+/,
         "$name: what is in it");

    $t->finish();
}


# What each provider gets.

{
    my $t = $messages;
    my $hook = Inlets::Test::Webhook->start($t);
    my $n = 0;

    settings($t, '');
    run_edge($t);

    my %form = (
        dingtalk => sub { $_[0]{markdown}{text} },
        feishu => sub { $_[0]{card}{elements}[0]{text}{content} },
        wecom => sub { $_[0]{markdown}{content} },
        slack => sub { $_[0]{blocks}[1]{text}{text} },
    );
    my %title = (
        dingtalk => sub { $_[0]{markdown}{title} },
        feishu => sub { $_[0]{card}{header}{title}{content} },
        wecom => sub { ($_[0]{markdown}{content} =~ /^# (.*)/)[0] },
        slack => sub { $_[0]{text} },
    );
    my %alias = (dingtalk => 'ding', feishu => 'lark', wecom => 'wework',
                 slack => 'slack');

    for my $provider (sort keys %form) {
        for my $language ('en', 'zh') {
            settings($t, $hook->url("/$provider"), language => $language,
                     provider => $language eq 'en' ? $provider
                                                   : $alias{$provider});

            my $post = $hook->wait_post($n++);
            my $name = "$provider, $language";

            is($post->{uri}, "/$provider", "$name: URL");
            is($title{$provider}->($post->{json}), $language eq 'en'
               ? '[Settings] reloaded' : '[服务端][配置] 已重新加载',
               "$name: title");
            like($form{$provider}->($post->{json}), $language eq 'en'
                 ? qr/^Time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/m
                 : qr/^当前时间：\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/m,
                 "$name: content");
        }
    }

    # signed

    settings($t, $hook->url('/send?access_token=t'), provider => 'dingtalk',
             secret => 'SECx');

    my $post = $hook->wait_post($n++);
    my ($time, $sign) = $post->{uri}
                        =~ m{^/send\?access_token=t&timestamp=(\d{13})&sign=(.*)$};
    my $want = hmac_sha256_base64("$time\nSECx", 'SECx');
    $want .= '=' while length($want) % 4;
    is($sign =~ s/%(..)/chr hex $1/ger, $want, 'dingtalk: signature');
    cmp_ok(abs($time / 1000 - time), '<', 60, 'dingtalk: its time');

    settings($t, $hook->url('/send'), provider => 'feishu', secret => 'SECx');

    my $json = $hook->wait_post($n++)->{json};
    $want = hmac_sha256_base64('', "$json->{timestamp}\nSECx");
    $want .= '=' while length($want) % 4;
    is($json->{sign}, $want, 'feishu: signature');
    is($json->{msg_type}, 'interactive', 'feishu: the message');

    settings($t, $hook->url('/send'), secret => 'SECx');

    $post = $hook->wait_post($n++);
    my $body = $post->{body};
    utf8::encode($body);
    is($post->{headers}{'x-inlets-signature'},
       'sha256=' . hmac_sha256_hex($post->{headers}{'x-inlets-timestamp'}
                                   . ".$body", 'SECx'),
       'webhook: signature');

    # an answer of 200 that is an error

    $t->mark();
    $hook->answers('200 {"errcode":310000,"errmsg":"sign not match"}');
    settings($t, $hook->url('/t=secret'), provider => 'wecom');
    ok($t->wait_log(qr/to wecom at 127\.0\.0\.1:\d+ failed, attempt 1: it answered error 310000/),
       'wecom: an error in the answer');

    $hook->answers('200 {"code":19021}');
    settings($t, $hook->url('/t=secret'), provider => 'feishu');
    ok($t->wait_log(qr/to feishu at \S+ failed, attempt 1: it answered error 19021/),
       'feishu: an error in the answer');

    $n += 2;
    sleep 1.2;
    is(scalar($hook->posts()), $n, 'which is not tried again');

    # hostile texts

    $hook->answers(200);
    settings($t, $hook->url('/send'), provider => 'slack');
    $hook->wait_post($n++);

    my $ws = $t->login(secret => 'shared', name => 'x',
                       fields => { version => '2.0.0<!channel> [a](http://b)' });
    is($ws->{reply}{ok}, JSON::PP::true, 'a client with a strange version');
    like($hook->wait_post($n++)->{json}{blocks}[1]{text}{text},
         qr/^Client version: 2\.0\.0‹!channel› \(a\)\(http:/,
         'calls nobody and makes no links');

    unlike($t->log(), qr/SECx|t=secret|access_token/, 'no secrets in the log');

    $ws->abort();
    $hook->wait_post($n++);
    $t->finish();
}


# Receivers that fail.

{
    my $t = $failing;
    my $hook = Inlets::Test::Webhook->start($t);
    my $dead = $t->service('closed');
    my $web = $t->service('http');

    # a proxy in the environment is not for this
    settings($t, 'http://localhost:' . $hook->{service}->port() . '/');
    run_edge($t, main => 'env http_proxy=http://127.0.0.1:1;');
    ok($hook->wait_post(0, 'server_started'), 'a name, and no proxy');

    # libcurl itself tries once more on a connection that it has kept

    $hook->answers(500, 503, 'cut', 'cut', 200);
    cause($t);
    $hook->wait_post(5, undef, 20);
    my @posts = $hook->posts('settings_rejected');
    is(scalar(@posts), 5, 'tried again after 500 and no answer');
    is($posts[4]{body}, $posts[0]{body}, 'the same message');

    my ($first, $second) = ($posts[1]{time} - $posts[0]{time},
                            $posts[2]{time} - $posts[1]{time});
    cmp_ok($first, '>=', 0.4, "first pause $first");
    cmp_ok($second, '>=', 0.9, "second pause $second");

    $t->mark();
    $hook->answers(404);
    cause($t);
    ok($t->wait_log(qr/\[error\].* failed, attempt 1: status 404/),
       'not after 404');

    $t->mark();
    my $other = Inlets::Test::Webhook->start($t);
    $hook->answers('302 ' . $other->url(), 200);
    cause($t);
    ok($t->wait_log(qr/\[error\].* failed, attempt 1: status 302/),
       'no redirects');
    is(scalar($other->posts()), 0, 'really none');

    # one that never answers stops nobody

    $hook->answers(('hang') x 6, 200);
    $t->mark();

    my $client = $t->tunnel('http', $web->upstream, '-s', 'demo', '-t',
                            'shared');
    my $before = time;

    for my $n (1 .. 20) {
        my $ws = $t->login(secret => 'shared');
        $ws->close();
        last if $t->get('/', host => 'demo.example.com')->{status} != 200;
    }

    cmp_ok(time - $before, '<', 5 * ($Inlets::Test::SLOW || 1),
           'requests while messages hang');
    ok($t->wait_log(qr/failed, attempt 1, it will be retried: Timeout was reached/,
                    25),
       'given up after 10 s');
    $client->stop();

    ok(wait_for { events($hook) =~ /client_offline:(\d+)/ && $1 >= 21 } 30,
       'all come later');

    settings($t, 'http://' . $dead->upstream . '/');
    ok($t->wait_log(qr/\[error\].* failed, attempt 4: Could(?:n't| not) connect/, 20),
       'nobody there: four attempts');

    $t->finish();
}


# TLS.

{
    my $t = $tls;
    my $hook = Inlets::Test::Webhook->start($t, ssl => 1);
    my ($other) = $t->certificate('other.example.com');

    settings($t, $hook->url('/path-is-secret'));
    run_edge($t);
    ok($t->wait_log(qr/"server_started" to webhook at \S+ failed, attempt 1, .*SSL peer certificate/),
       'the certificate is verified');

    settings($t, $hook->url('/path-is-secret'), caFile => $other);
    ok($t->wait_log(qr/"settings_reloaded" to webhook at \S+ failed, attempt 1, .*SSL peer certificate/),
       'by the authorities given');
    is(scalar($hook->posts()), 0, 'nothing has been sent');

    my $name = $hook->{crt} =~ s{.*/}{}r;
    settings($t, $hook->url('/path-is-secret'), caFile => $name);
    ok($hook->wait_post(0, 'settings_reloaded'), 'caFile, by a relative path');

    settings($t, $hook->url('/path-is-secret') =~ s/127\.0\.0\.1/localhost/r,
             caFile => $name);
    ok($t->wait_log(qr/webhook at localhost:\d+ failed, attempt 1, .*SSL peer certificate/),
       'and so is its name');

    unlike($t->log(), qr/path-is-secret/, 'even a debug log has no URL');

    $t->finish();
}


# A full queue.

{
    my $t = $full;
    my $hook = Inlets::Test::Webhook->start($t);

    $hook->answers('hang', 'hang', 'hang', 'hang', 200);
    settings($t, $hook->url());
    run_edge($t, http => 'inlets_remember 0;');

    for my $n (1 .. 150) {
        $t->login(secret => 'shared')->close();
    }

    ok($t->wait_log(qr/\[warn\].* 256 notifications wait to be sent, more of them are dropped/),
       'the queue has a bound');
    is(scalar(() = $t->log() =~ /more of them are dropped/g), 1, 'told once');

    my $post = $hook->wait_post(0, 'notifications_dropped', 40);
    cmp_ok($post->{json}{count}, '>=', 20, 'and when it is empty, how many');
    ok($t->wait_log(qr/\[warn\].* notifications that were dropped: $post->{json}{count}/),
       'in the log, too');

    my $sent = () = $hook->posts();
    is($post->{json}{count} + $sent - 4 - 1, 301, 'no message is missed');

    $t->finish();
}


# Workers that exit.

{
    my $t = $dying;
    my $hook = Inlets::Test::Webhook->start($t);
    my $client = sub {
        return $t->login(secret => 'shared');
    };

    settings($t, $hook->url());
    run_edge($t, http => 'inlets_drain_timeout 1s;');
    $hook->wait_post(0, 'server_started');

    my $ws = $client->();
    $hook->wait_post(0, 'client_online');

    # retried while the worker waits for it

    $hook->answers(500, 200);
    $t->reload();
    $ws->ended(10);
    ok($hook->wait_post(1, 'client_offline', 10),
       'a worker that exits tells of its clients');
    ok($t->wait_old(10), 'and exits');

    # not for ever

    $hook->answers('hang');
    $ws = $client->();
    $hook->wait_post(1, 'client_online');

    my $before = time;
    $t->mark();
    $t->reload();
    ok($t->wait_old(20), 'a worker with a message that hangs exits');
    cmp_ok(time - $before, '>=', 4, 'after a while');
    ok($t->wait_log(qr/\[warn\].* notifications that were not sent: \d, the worker exits/),
       'and says so');

    # nor if it is killed with requests under way

    $ws = $client->();
    $hook->wait_post(2, 'client_online');
    $before = time;
    $t->stop('TERM');
    cmp_ok(time - $before, '<', 3 * ($Inlets::Test::SLOW || 1),
           'a fast exit waits for nothing');

    $t->finish();
}
