# inlets client --report-url: when a report is made, what is in it, and that
# nothing waits for it.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use Inlets::Test;
use Inlets::Test::Webhook;

my $SLOW = $Inlets::Test::SLOW || 1;

my $t = Inlets::Test->new();
my $web = $t->service('http');
my $edge = '127.0.0.1:' . $t->port(0);

$t->edge()->run();


sub client {
    my ($url, @arguments) = @_;
    return $t->client({ token => 1, env => { REPORT_URL => $url } }, 'client',
                      '-r', $edge, @arguments, 'http', $web->upstream);
}


# A tunnel that is lost for longer than a minute: it goes on beside the others.

my $gone = Inlets::Test->new();
my $lost = Inlets::Test::Webhook->start($gone);

$gone->edge()->run();

my $away = $gone->client({ token => 1 }, 'client', '-r',
                         '127.0.0.1:' . $gone->port(0), '-s', 'away',
                         '--report-url', $lost->url(), 'http', $web->upstream);
my $brief = $gone->client({ token => 1 }, 'client', '-r',
                          '127.0.0.1:' . $gone->port(0), 'tcp',
                          $web->upstream);
$away->wait_up();
$brief->wait_up();
$brief->stop();

is($gone->stop('TERM'), 0, 'the edge has gone');
my $since = time;


# Ends with an error.

{
    my $hook = Inlets::Test::Webhook->start($t);
    my $first = client($hook->url(), '-s', 'taken');
    $first->wait_up();

    my $second = client($hook->url('/r?key=confidential'), '-s', 'taken');
    is($second->wait_exit(), 1, 'refused');

    my $post = $hook->wait_post(0);
    is($post->{method}, 'POST', 'a post');
    is($post->{uri}, '/r?key=confidential', 'to the URL');
    is($post->{headers}{'content-type'}, 'application/json', 'of JSON');
    is(join(' ', sort keys %{$post->{json}}),
       'attempts error time tunnel version', 'with these fields');
    like($post->{json}{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'time');
    like($post->{json}{version}, qr/^\d+\.\d+\.\d+$/, 'version');
    is($post->{json}{tunnel}, "http taken at $edge", 'tunnel');
    is($post->{json}{error}, 'domain id has been used, please use another',
       'error');
    is($post->{json}{attempts}, 1, 'attempts');

    unlike($second->output, qr/confidential/, 'the URL is not logged');

    is($first->stop(), 0, 'a client ends without an error');
    is(scalar($hook->posts()), 1, 'which is not reported');
}


# Doesn't come up.

{
    my $hook = Inlets::Test::Webhook->start($t, ssl => 1);
    my $nobody = $t->service('closed');
    my $client = $t->client({ token => 1,
                              env => { http_proxy => 'http://127.0.0.1:1',
                                       https_proxy => 'http://127.0.0.1:1' } },
        'client', '-r', $nobody->upstream, '--report-url', $hook->url(),
        '--ca-file', $hook->{crt}, 'tcp', $web->upstream);

    my $post = $hook->wait_post(0);
    is($post->{json}{tunnel}, 'tcp at ' . $nobody->upstream, 'not up: tunnel');
    like($post->{json}{error}, qr/cannot connect/, 'not up: error');
    is($post->{json}{attempts}, 1, 'not up: attempts');

    $client->wait_output(qr/(?:retrying.*){4}/s, 20);
    is(scalar($hook->posts()), 1, 'at most one a minute');

    my $before = time;
    $client->stop();
    cmp_ok(time - $before, '<', 1.5 * $SLOW, 'the end does not wait for more');

    # TLS is verified, also with --insecure, which is about the edge

    $client = $t->client({ token => 1 }, 'client', '-r', $nobody->upstream,
                         '--report-url', $hook->url('/secret'), '--insecure',
                         'tcp', $web->upstream);
    ok($client->wait_output(qr/reporting to 127\.0\.0\.1 failed: SSL peer/),
       'certificates are verified');
    unlike($client->output, qr/\/secret/, 'the log has no URL');
    $client->stop();
    is(scalar($hook->posts()), 1, 'nothing was sent');
}


# A receiver that hangs, or has gone, or sends elsewhere.

{
    my $hook = Inlets::Test::Webhook->start($t);
    $hook->answers('hang');

    my $nobody = $t->service('closed');
    my $client = $t->client({ token => 1 }, 'client', '-r', $nobody->upstream,
                            '--report-url', $hook->url(), 'tcp',
                            $web->upstream);

    $hook->wait_post(0);
    ok($client->wait_output(qr/(?:retrying.*){4}/s, 20),
       'the client goes on meanwhile');

    my $before = time;
    is($client->stop(), 0, 'and ends');
    my $took = time - $before;
    cmp_ok($took, '>=', 1.8, "it waits at most two seconds: $took");
    cmp_ok($took, '<', 4 * $SLOW, 'not longer');
    like($client->output, qr/the last report could not be delivered in time/,
         'and says so');

    my $dead = $t->service('closed');
    $client = $t->client({ token => 1 }, 'client', '-r', $nobody->upstream,
                         '--report-url', 'http://' . $dead->upstream, 'tcp',
                         $web->upstream);
    ok($client->wait_output(qr/reporting to 127\.0\.0\.1 failed: Could(?:n't| not) connect/),
       'a receiver that has gone');
    ok($client->wait_output(qr/(?:retrying.*){2}/s), 'changes nothing');
    is($client->stop(), 0, 'at all');

    $hook->answers('302 ' . $hook->url('/elsewhere'), 200);
    $client = $t->client({ token => 1 }, 'client', '-r', $nobody->upstream,
                         '--report-url', $hook->url(), 'tcp', $web->upstream);
    ok($client->wait_output(qr/reporting to 127\.0\.0\.1 failed: status 302/),
       'a redirect');
    is(scalar(grep { $_->{uri} eq '/elsewhere' } $hook->posts()), 0,
       'is not followed');
    $client->stop();
}


for my $url ('ftp://127.0.0.1/', 'example.com/x', 'http://', 'file:///etc/x') {
    my $client = client($url);
    is($client->wait_exit(), 1, "$url: exit code");
    like($client->output, qr/report-url must be an http:\/\/ or https:\/\/ URL/,
         "$url: message");
}

my $none = client('', '-s', 'empty');
ok($none->wait_up(), 'an empty URL is none');
$none->stop();


# Now the minute.

is(scalar($lost->posts()), 0, 'not reported yet') if time - $since < 59;

my $post = $lost->wait_post(0, undef, 75);
ok($post, 'lost for longer than a minute');
cmp_ok($post->{time} - $since, '>=', 59, 'not earlier');
is($post->{json}{tunnel}, 'http away at 127.0.0.1:' . $gone->port(0),
   'its tunnel');
like($post->{json}{error}, qr/cannot connect/, 'its error');
cmp_ok($post->{json}{attempts}, '>=', 4, 'its attempts');

$away->stop();
$gone->finish();
$t->finish();
