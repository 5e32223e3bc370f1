use strict;
use warnings;

# 404, 502, 503 and 504: when, with what page, and replaced by error_page.

use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;

my %text = (
    404 => 'There is no tunnel of this name.',
    502 => "The service behind this tunnel can't be reached.",
    503 => 'The client of this tunnel is away or busy.',
    504 => 'The service behind this tunnel did not answer in time.',
);

my $port = 'listen 127.0.0.1:%%PORT_';
my $t = Inlets::Test->new();

$t->edge(
    tcp_ports => 0,
    tunnel => 'client_max_body_size 0; inlets_wait 300ms; proxy_read_timeout 300ms;',
    http => <<'END',
    log_format who '$status $upstream_status $host $inlets_tunnel_id '
                   '$inlets_client_id $request_uri';
    access_log %%TESTDIR%%/who.log who;
END
    servers => <<"END",
    server {
        ${port}pages%%;
        server_name *.example.com;
        error_page 404 /own404;
        error_page 502 =200 /own502;
        error_page 503 504 \@own;
        location = /own404 { return 200 "own 404"; }
        location = /own502 { return 200 "own 502"; }
        location \@own { return 200 "own \$status"; }
        location / {
            inlets_tunnel edge;
            inlets_wait 0;
            proxy_read_timeout 300ms;
        }
    }
    server {
        ${port}intercept%%;
        server_name *.example.com;
        location / {
            inlets_tunnel edge;
            proxy_intercept_errors on;
            error_page 500 502 /own;
        }
        location = /own { return 200 "intercepted"; }
    }
    server {
        ${port}long%%;
        server_name *.example.com;
        location / {
            inlets_tunnel edge;
            inlets_wait 30s;
        }
    }
    server {
        ${port}few%%;
        location / {
            inlets_tunnel edge;
            inlets_wait 0;
        }
        location /_/ {
            inlets_connect edge;
            inlets_max_links 1;
            inlets_max_streams 2;
        }
    }
    server {
        ${port}short%%;
        server_name *.example.com;
        location / {
            inlets_tunnel edge;
            inlets_wait 30s;
            proxy_connect_timeout 200ms;
        }
    }
END
)->run();

my $web = $t->service('http');


sub get {
    my ($name, $path, %opt) = @_;
    return $t->get($path, host => "$name.example.com", %opt);
}


# One page: short text, or HTML for browsers, for HEAD nothing.

sub page {
    my ($name, $path, $status) = @_;

    my $answer = get($name, $path);
    is($answer->{status}, $status, "status $status");
    like($answer->{headers}{'content-type'}, qr{^text/plain; charset=utf-8$},
         'as text');
    like($answer->{body}, qr/^$status [\w -]+: \Q$text{$status}\E\s+$/,
         'one line');
    is($answer->{headers}{'content-length'}, length $answer->{body},
       'whose length is right');

    for my $accept ('text/html', 'application/xml, text/HTML;q=0.5, */*') {
        $answer = get($name, $path, headers => [ Accept => $accept ]);
        is($answer->{status}, $status, "$status for a browser");
        like($answer->{headers}{'content-type'}, qr{^text/html}, 'as HTML');
        like($answer->{body}, qr/<h1>$status .*\Q$text{$status}\E/,
             'with the text');
        ok($answer->{complete}, 'complete');
    }

    $answer = get($name, $path, headers => [ Accept => 'application/json' ]);
    like($answer->{body}, qr/^$status [\w -]+: /, 'text for others');

    $answer = $t->request('HEAD', $path, host => "$name.example.com");
    is($answer->{status}, $status, 'HEAD');
    is($answer->{body}, '', 'without a body');

    # the visitor's connection stays good

    my $visitor = $t->connect();
    $visitor->send_request('GET', $path, host => "$name.example.com");
    is($visitor->read_response()->{status}, $status, 'a first request');
    $visitor->send_request('GET', '/', host => 'web.example.com');
    is($visitor->read_response()->{body}, "it works\n", 'a good second one');
}


sub own {
    my ($name, $path, $status, $text) = @_;
    my $answer = get($name, $path, port => $t->port('pages'));

    is($answer->{status}, $status, "error_page: $status");
    is($answer->{body}, $text, 'and its text');
}


sub logged {
    my ($regex) = @_;

    ok((wait_for { $t->read_file('who.log') =~ $regex } 5, "log $regex"),
       'access log')
        or diag($t->read_file('who.log'));
}


$t->tunnel('http', $web->upstream(), '-s', 'web');

note('404: no such tunnel');
page('nobody', '/', 404);
own('nobody', '/', 404, 'own 404');
is($t->request('POST', '/', host => 'nobody.example.com',
               body => 'x' x 5_000_000)->{status}, 404, 'POST');
logged(qr/^404 404 nobody\.example\.com - - .$/m);

note('502: nothing listens there');
my $closed = $t->tunnel('http', $t->service('closed')->upstream(), '-s',
                        'closed');
page('closed', '/', 502);
own('closed', '/', 200, 'own 502');
is($t->request('POST', '/', host => 'closed.example.com',
               body => 'x' x 5_000_000)->{status}, 502, 'POST');
logged(qr/^502 502 closed\.example\.com [-0-9a-f]{36} anonymous-\w+ /m);

logged(qr/^200 502 closed\.example\.com [-0-9a-f]{36} anonymous-\w+ /m);

note('502: the service resets, or ends');
page('web', '/reset', 502);
own('web', '/reset', 200, 'own 502');

my $origin = $t->listener();
my $client = $t->tunnel('http', $origin->upstream(), '-s', 'gone');
my $visitor = $t->connect();
$visitor->send_request('GET', '/', host => 'gone.example.com');
my ($service) = $origin->request();
$service->close();
is($visitor->read_response()->{status}, 502, 'it ends without an answer');

note('502: the client goes in mid-request');
$visitor = $t->connect();
$visitor->send_request('GET', '/', host => 'gone.example.com');
my $half = $t->connect();
$half->send_request('GET', '/half', host => 'gone.example.com');

for (1, 2) {
    my ($service, $request) = $origin->request();
    $service->send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!")
        if $request->{uri} eq '/half';
}

is($half->read_until(qr/five!/) ? 1 : 0, 1, 'half an answer');
$client->signal('KILL');
my $begin = time();
is($visitor->read_response()->{status}, 502, '502 for who waits');
ok($half->ended(), 'the end for who has half of it');
cmp_ok(time() - $begin, '<', 5 * $Inlets::Test::SLOW, 'and soon');

note('503: the client is away');
ok((wait_for { get('gone', '/')->{status} == 503 } 10, 'the end'),
   'the edge has seen its end');
page('gone', '/', 503);
is(get('gone', '/')->{headers}{'retry-after'}, 5, 'Retry-After');
own('gone', '/', 503, 'own 503');

$begin = time();
get('gone', '/');
cmp_ok(time() - $begin, '>=', 0.25, 'inlets_wait was waited for');
cmp_ok(time() - $begin, '<', 4 * $Inlets::Test::SLOW, 'and not much longer');
is(get('nobody', '/', port => $t->port('long'))->{status}, 404,
   'nobody waits for a name that never was');

note('503: and back before inlets_wait ends');
my @waiting = map { $t->connect(port => $t->port('long')) } 1 .. 5;
$waiting[$_]->send_request('GET', "/bytes?n=$_", host => 'gone.example.com')
    for 0 .. 3;
$waiting[4]->send_request('POST', '/post', host => 'gone.example.com',
                          body => 'x' x 100_000);
my $left = $t->connect(port => $t->port('long'));
$left->send_request('GET', '/left', host => 'gone.example.com');
ok($waiting[0]->silent(0.2), 'visitors wait');
$left->abort();

$client = $t->tunnel('http', $web->upstream(), '-s', 'gone');

is(length $waiting[$_]->read_response()->{body}, $_, 'and are served')
    for 0 .. 3;
like($waiting[4]->read_response()->{body}, qr/^100000 /, 'POST too');
ok(!grep({ m{/left} } $web->requests()), 'the one who left is not');
logged(qr/^200 200 gone\.example\.com [-0-9a-f]{36} anonymous-\w+ .bytes/m);
is(get('gone', '/')->{status}, 200, 'and then as ever');

note('the client ends well');
$client->stop();
ok((wait_for { get('gone', '/')->{status} == 503 } 10, 'the end'),
   '503 all the same');
is(get('gone', '/', port => $t->port('short'))->{status}, 504,
   'proxy_connect_timeout bounds the wait too');

note('504: no answer in time');
page('web', '/hang', 504);
own('web', '/hang', 504, 'own 504');

$visitor = $t->connect();
$visitor->send_request('GET', '/cut?n=10&of=20', host => 'web.example.com');
my $answer = $visitor->read_response();
is($answer->{status}, 200, 'an answer that stops');
ok(!$answer->{complete}, 'is cut short');

note('503: no stream to be had');
$client = $t->client({ token => 1 }, 'client', '-r',
    '127.0.0.1:' . $t->port('few'), '-s', 'few', 'http', $origin->upstream());
$client->wait_up();
my @busy = map { $t->connect(port => $t->port('few')) } 1 .. 3;
my @served;

for my $visitor (@busy[0, 1]) {
    $visitor->send_request('GET', '/', host => 'few.example.com');
    push @served, ($origin->request())[0];
}

$busy[2]->send_request('GET', '/', host => 'few.example.com');
is($busy[2]->read_response()->{status}, 503, 'one too many');
$_->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
         . 'ok') for @served;
is($_->read_response()->{body}, 'ok', 'the others are served')
    for @busy[0, 1];
$busy[2]->send_request('GET', '/', host => 'few.example.com');
($service) = $origin->request();
ok($service, 'then there is room again');
$service->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
is($busy[2]->read_response()->{body}, 'ok', 'and an answer');

note("the service's own errors are its own");
for my $code (404, 502, 503, 504) {
    my $answer = get('web', "/status?code=$code");
    is("$answer->{status} $answer->{body}", "$code status $code\n",
       "its $code");
    is(get('web', "/status?code=$code", port => $t->port('pages'))->{body},
       "status $code\n", 'error_page does not take them');
}

is(get('web', '/status?code=502', port => $t->port('intercept'))->{body},
   'intercepted', 'but with proxy_intercept_errors');
is(get('closed', '/', port => $t->port('intercept'))->{body},
   'intercepted', 'as ours');

$t->finish();
