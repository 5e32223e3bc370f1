# The real client and the tunnels that the settings list for it: brought up,
# followed, moved to other workers, and ended with it.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 2, 4;

for my $workers (1, 4) {
    my $t = $t{$workers};
    my $web = $t->service('http');
    my $echo = $t->service('echo');
    my $port = $t->port('tcp', 8);
    my ($http) = $web->upstream =~ /(\d+)$/;
    my ($tcp) = $echo->upstream =~ /(\d+)$/;
    my $stream = Inlets::Test::nginx_features()->{stream};

    # more: lines of the client; then what it lists
    my $settings = sub {
        my ($more, @tunnels) = @_;

        $t->mark();
        $t->file('new.yml', "clients:\n- clientId: alice\n"
                 . "  clientSecret: xyzzy-alice\n$more  tunnels:\n"
                 . join '', map { "  - {$_}\n" } @tunnels);
        rename $t->dir . '/new.yml', $t->dir . '/s.yml' or die $!;
    };
    my $status = sub {
        my ($name, @headers) = @_;

        return $t->get('/', host => "$name.example.com",
                       headers => \@headers)->{status};
    };
    my @token = (authorization => 'Bearer xyzzy-visitor');
    my $entry = sub { "name: $_[0], type: http, upstream: $http" };

    $settings->('', $entry->('web') . ', subDomain: web, auth: {users: '
                    . '[{type: bearer, token: xyzzy-visitor}]}',
                $stream ? "name: echo, type: tcp, upstream: $tcp, "
                          . "remotePort: $port" : ());
    $t->edge(token => 'inlets_config s.yml;',
             http => 'inlets_wait 300ms;')->run();

    my $client = $t->client({ env => { CREDENTIALS => 'alice:xyzzy-alice' } },
                            'client', '-r', '127.0.0.1:' . $t->port(0),
                            '--log-level', 'debug');

    ok($client->wait_up($stream ? 2 : 1), "$workers workers: the list is up");

    for (1 .. $workers) {
        is($status->('web'), 401, 'who has no token');
        is($status->('web', @token), 200, 'and who has');
    }

  SKIP: {
        skip 'no stream', 2 if !$stream;

        my $s = $t->connect(port => $port);
        $s->send('hello');
        is($s->read_exact(5), 'hello', 'TCP');
        $s->close();
        is($t->connect(port => $port + 1)->read_all(1), '', 'and no other');
    }

    # another list: what stays is not touched

    $settings->('', $entry->('web') . ', subDomain: web',
                $entry->('two') . ', subDomain: two');
    ok(wait_for { $status->('two') == 200 } 10, 'a new one comes up');
    ok(wait_for { $status->('web') == 200 } 10, 'no token any more');
    ok($client->wait_output(qr/tunnel echo is not wanted/), 'one goes')
        if $stream;
    is(scalar(() = $client->output =~ m{Forwarding: http://web\.}g), 1,
       'one that stays has not noticed');

    # none, and some again, in other processes

    $settings->('');
    ok(wait_for { $status->('web') != 200 && $status->('two') != 200 } 10,
       'none');
    ok($t->reload(), 'reload');
    ok($client->wait_output(qr/moved to another edge process/), 'moved');
    ok($t->wait_log(qr/coordinator \S+ client alice ended/), 'for good');
    $settings->('', $entry->('web') . ', subDomain: three');
    ok(wait_for { $status->('three') == 200 } 10, 'told of a new list there');

    # the edge is gone for a while

    $t->stop();
    $t->run();
    ok(wait_for { $status->('three') == 200 } 20, 'all again');

    # the client's end

    $settings->("  disabled: true\n", $entry->('web'));
    is($client->wait_exit(15), 1, 'disabled: the client ends');
    like($client->output, qr/client "alice" is disabled on this server/,
         'and says why');

    ok($client->output !~ /xyzzy/ && $t->log() !~ /xyzzy/,
       'no secret in the logs');

    $t->finish();
}


# Two clients: a tunnel goes from the list of one to that of the other, and a
# client becomes the other one.

my $t = $t{2};
my $web = $t->service('http');
my $origin = $t->listener();

my $settings = sub {
    my (%lists) = @_;
    my $text = "clients:\n";

    for my $id (sort keys %lists) {
        $text .= "- clientId: $id\n  clientSecret: xyzzy-$id\n";
        $text .= "  tunnels: [{$lists{$id}}]\n" if $lists{$id};
    }

    $t->file('new.yml', $text);
    rename $t->dir . '/new.yml', $t->dir . '/s.yml' or die $!;
};
my $body = sub {
    return $t->get('/', host => "$_[0].example.com")->{body} // '';
};

my $shop = 'name: shop, type: http, subDomain: shop, upstream: ';
my @carol = (carol => 'name: x, type: http, subDomain: carol, upstream: '
                      . $web->port);

$settings->(alice => $shop . $origin->port, bob => '', @carol);
$t->edge(token => 'inlets_config s.yml;', http => 'inlets_wait 300ms;')->run();

my $file = $t->dir . '/client.yml';
my $top = 'server: http://127.0.0.1:' . $t->port(0) . "\ngrace: 60s\n";
my @run = ('client', '-c', $file);

$t->file('client.yml', $top . "credentials: alice:xyzzy-alice\n");
my $alice = $t->client(@run);
ok($alice->wait_up(1), 'the list of one client');

my $bob = $t->client(@run, '--credentials', 'bob:xyzzy-bob');
ok($bob->wait_output(qr/lists no tunnels/), 'and of another');

# who has it lets a visitor finish

my $visitor = $t->connect();
$visitor->send_request('GET', '/', host => 'shop.example.com');
my ($service) = $origin->request();
$service->send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfirst");
like($visitor->read_until(qr/first/), qr/200 OK/, 'a long answer');

$settings->(alice => '', bob => $shop . $web->port, @carol);
ok($bob->wait_output(qr/shop: domain id has been used.* retrying/),
   'the other one waits for the name');
$service->send('last');
ok($bob->wait_up(1), 'and has it then');
is($body->('shop'), "it works\n", 'which works');

# the first becomes someone else

$t->file('client.yml', $top . "credentials: carol:xyzzy-carol\n");
$alice->signal('HUP');
ok($alice->wait_output(qr/Client ID: carol/), 'another log-in');
ok($alice->wait_up(2), 'and another list');
is($body->('carol'), "it works\n", 'which works');

is($_->stop(), 0, 'exit code') for $alice, $bob;

$t->finish();
