use strict;
use warnings;

# Names: given, asked for, refused, freed; and how a visitor's Host finds one.

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();
my $port = 'listen 127.0.0.1:%%PORT_';

$t->edge(
    tcp_ports => 0,
    zone => 'inlets_zone edge 1m; inlets_zone second 1m;',
    server_name => 'server_name _;',
    http => 'inlets_wait 0;',
    servers => <<"END",
    server {
        ${port}net%%;
        location /_/ {
            inlets_connect edge;
            inlets_domain example.net;
        }
        location / {
            inlets_tunnel edge;
        }
    }
    server {
        ${port}second%%;
        location /_/ {
            inlets_connect second;
            inlets_public on;
            inlets_url https://\$server_addr/;
        }
        location / {
            inlets_tunnel second;
        }
    }
END
)->run();

my $edge = $t->port(0);
my $web = $t->service('http');
my $upstream = $web->upstream();


sub status {
    my ($host, %opt) = @_;
    return $t->get('/', host => $host, %opt)->{status};
}


# A client that is not waited for.

sub client {
    my ($key, @arguments) = @_;
    return $t->client({ token => 1 }, 'client', '-r',
        '127.0.0.1:' . $t->port($key), @arguments, 'http', $upstream);
}


note('a name that was asked for');

my $demo = $t->tunnel('http', $upstream, '-s', 'demo');

is($demo->url(), "http://demo.example.com:$edge", 'the URL that it prints');
is(status('demo.example.com'), 200, 'the name');

for my $host ('DEMO.Example.COM', "demo.example.com:$edge",
              'demo.example.com:1', 'demo.example.com.',
              'demo.example.com.:80')
{
    is(status($host), 200, $host);
}

for my $host ('demo', 'demo.example.org', 'demo.example.com.evil',
              'a.demo.example.com', 'xdemo.example.com', 'demo.example.co',
              'demo.example.comm', '-demo.example.com', 'example.com',
              'demoexample.com', '.example.com', '127.0.0.1', '[::1]',
              "127.0.0.1:$edge", 'demo.example.net', 'x' x 300 . '.com',
              'dem%6f.example.com', '_.example.com', '*.example.com')
{
    is(status($host), 404, length $host > 40 ? 'a long host' : $host);
}

for my $host ('demo..example.com', 'demo.example.com/x', "demo.ex\0ample.com") {
    like(status($host), qr/^4/, 'a host that is none');
}

is(status('', version => '1.0'), 404, 'no host at all');
is(status('demo.example.com', version => '1.0'), 200, 'HTTP/1.0');

note('a name that is taken');

my $other = client(0, '-s', 'demo');
is($other->wait_exit(), 1, 'the second client gives up');
like($other->output(), qr/error: .*has been used, please use another/,
     'and says why');
is(status('demo.example.com'), 200, 'the first serves on');
ok($demo->alive(), 'and lives');

is(client(0, '-s', 'DEMO')->wait_exit(), 1, 'in capitals too');

note('names that cannot be');

for my $name ('a.b', '-a', 'a-', 'a_b', 'x' x 64, "\xc3\xa4", 'a b', '_', 'xn--4ca',
              'demo.example.com')
{
    my $refused = client(0, '-s', $name);
    is($refused->wait_exit(), 1, length $name > 40 ? 'a long name' : $name);
    unlike($refused->output(), qr/Forwarding/, 'is not forwarded');
}

for my $name ('a', 'x' x 63, '0', 'a--b', 'a1b2-c3') {
    my $good = $t->tunnel('http', $upstream, '-s', $name);
    is(status("$name.example.com"), 200, length $name > 40 ? 'the longest'
                                                           : $name);
    $good->stop();
}

note('names that are given');

my %seen;

for (1 .. 3) {
    my $random = $t->tunnel('http', $upstream);
    my $host = $random->host() || '';
    like($host, qr/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.example\.com$/,
         'a random name');
    ok(!$seen{$host}++, 'that is new');
    is(status($host), 200, 'and works');
}

note('a name is freed at once');

$demo->stop();
ok((wait_for { status('demo.example.com') == 503 } 5, 'its end'),
   'the client is away');

for (1 .. 3) {
    my $next = $t->tunnel('http', $upstream, '-s', 'demo');
    is(status('demo.example.com'), 200, 'another one has it');
    $next->stop();
}

my $killed = $t->tunnel('http', $upstream, '-s', 'killed');
$killed->signal('KILL');
$killed->wait_exit();
ok((wait_for { status('killed.example.com') == 503 } 5, 'its end'),
   'a killed client is away');
my $again = $t->tunnel('http', $upstream, '-s', 'killed');
is(status('killed.example.com'), 200, 'and its name free');

note('two domains of one zone');

$demo = $t->tunnel('http', $upstream, '-s', 'demo');
my $net = client('net', '-s', 'demo');
ok($net->wait_up(), 'the same name under another domain');
is($net->host(), 'demo.example.net', 'its host');
is(status('demo.example.net'), 200, 'it is served by any server');
is(status('demo.example.com'), 200, 'and so is the other');
$net->stop();
ok((wait_for { status('demo.example.net') == 503 } 5, 'its end'),
   'the one is away');
is(status('demo.example.com'), 200, 'the other is not');

note('two zones');

my $second = client('second', '-s', 'demo');
ok($second->wait_up(), 'the same name in another zone');
like($second->url(), qr{^https://}, 'inlets_url');
is(status('demo.example.com', port => $t->port('second')), 200, 'is there');
$demo->stop();
is(status('demo.example.com', port => $t->port('second')), 200,
   'zones know nothing of each other');
ok((wait_for { status('demo.example.com') == 503 } 5, 'its end'),
   'neither this one');

$t->finish();
