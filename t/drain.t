# Reload: a leaving worker tells its clients, and serves until they moved on.

use strict;
use warnings;

use Test::More;

use Inlets::Test;
use Inlets::Test::Yamux;

my %conf = (
    http => 'inlets_drain_timeout 10s; inlets_wait 1s;',
    servers => 'server {
                    listen 127.0.0.1:%%PORT_short%%;
                    inlets_drain_timeout 1s;
                    location /_/ { inlets_connect edge; }
                }
                server {
                    listen 127.0.0.1:%%PORT_public%%;
                    inlets_public on;
                    inlets_drain_timeout 0;
                    location /_/ { inlets_connect edge; }
                }',
);

for my $t (map { Inlets::Test->new(workers => $_) } 1, 2) {
    $t->edge(%conf)->run();

    my $visit = sub {
        my ($link, $host, $body) = @_;
        my $visitor = $t->connect();
        $visitor->send_request('GET', '/', host => "$host.example.com");

        my $stream = $link->accept(5) or return 'no stream';
        $stream->read_until(qr/\r\n\r\n/);
        $stream->respond(200, $body, Connection => 'close');

        return $visitor->read_response()->{body};
    };

    my $old = $t->login(name => 'demo');
    my $old_link = $t->link($old);
    is($visit->($old_link, 'demo', 'one'), 'one', 'before');

    my $short = $t->login(name => 'short',
                          connect => { port => $t->port('short') });
    my $public = $t->login(auth => 'public',
                           connect => { port => $t->port('public') });
    my ($name) = $public->{reply}{url} =~ m{//(\w+)\.};
    my $nobody = $t->monitor();
    $nobody->read_event();

    # a request that lasts over the reload

    my $visitor = $t->connect();
    $visitor->send_request('GET', '/long', host => 'demo.example.com');
    my $stream = $old_link->accept();
    $stream->read_until(qr/\r\n\r\n/);

    ok($t->reload(), 'reload');

    is_deeply($old->wait_event('drain'), { deadline => 10000 }, 'drain');
    is_deeply($short->wait_event('drain'), { deadline => 1000 },
              'another deadline');
    is_deeply($public->wait_event('drain'), { deadline => 0 }, 'none');
    ok($nobody->ended(), 'before login: closed');

    $old->event('ping');
    is_deeply($old->read_event(), [ 'pong', undef ], 'still answered');

    # by the new workers, over the old link

    is($visit->($old_link, 'demo', 'two'), 'two', 'still served');

    my $new = $t->login(name => 'demo',
                        resume => $old->{reply}{containerId});
    ok($new->{reply}{ok}, 'resumed');
    my $new_link = $t->link($new);
    is($visit->($new_link, 'demo', 'three'), 'three', 'served by the new');

    my $again = $t->login(auth => 'public',
                          resume => $public->{reply}{containerId},
                          connect => { port => $t->port('public') });
    like($again->{reply}{url}, qr{//$name\.}, 'public: same name');

    $stream->respond(200, 'long');
    is($visitor->read_response()->{body}, 'long', 'request under way');

    ok(!defined $short->read_message(), 'deadline');
    is(($short->{closed} || [0])->[0], 1001, 'going away');
    ok($short->ended(), 'closed');

    $old->close();
    $old_link->close();
    $public->close();
    ok($t->wait_old(), 'old workers are gone');

    is($visit->($new_link, 'demo', 'four'), 'four', 'after');

    $t->finish();
}
