# Tunnels without credentials: off by default, HTTP, random names, a lifetime.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;

my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;

for my $workers (1, 4) {
    my $t = $t{$workers};
    my $web = $t->service('http');

    $t->file('s.yml', "domain: example.com\ntoken: x\n"
                      . "publicHTTP: { enabled: true, timeout: 90s, "
                      . "warnLead: 30s }\n");

    $t->edge(
        http => 'inlets_auth_attempts 0; inlets_wait 1s;',
        servers => 'server {
                        listen 127.0.0.1:%%PORT_public%%;
                        inlets_public on;
                        inlets_public_timeout 4s;
                        inlets_public_warn 1500ms;
                        location /_/ { inlets_connect edge; }
                    }
                    server {
                        listen 127.0.0.1:%%PORT_client%%;
                        inlets_public on;
                        inlets_public_timeout 12s;
                        location /_/ { inlets_connect edge; }
                    }
                    server {
                        listen 127.0.0.1:%%PORT_default%%;
                        inlets_public on;
                        location /_/ { inlets_connect edge; }
                    }
                    server {
                        listen 127.0.0.1:%%PORT_file%%;
                        inlets_config s.yml;
                        location /_/ { inlets_connect edge; }
                    }',
    )->run();

    my $public = sub {
        my ($port, %opt) = @_;

        return $t->login(auth => 'public', connect => { port => $port }, %opt);
    };

    is($t->login(auth => 'public')->{reply}{message},
       'invalid client: public auth is not enabled on this server',
       "$workers workers: off by default");

    my $port = $t->port('public');

    is($public->($port, name => 'mine')->{reply}{message},
       'subDomain is not allowed for public authType', 'no name');
    is($public->($port, type => 'tcp')->{reply}{message},
       'invalid client: public auth is only allowed for http tunnel',
       'no TCP');

    my $m = $public->($t->port('default'));
    is($m->wait_event('warn'),
       'Unauthenticated (public) monitor session; max lifetime is 10m0s.',
       'default lifetime');

    $m = $public->($t->port('file'));
    is($m->wait_event('warn'),
       'Unauthenticated (public) monitor session; max lifetime is 1m30s.',
       'lifetime of the settings file');

    # to the end

    my $start = time();
    $m = $public->($port);

    like($m->{reply}{url}, qr{^http://[a-z0-9]+\.example\.com}, 'random name');
    is($m->wait_event('warn'),
       'Unauthenticated (public) monitor session; max lifetime is 4s.',
       'lifetime');
    is($m->wait_event('warn'), 'Unauthenticated session will close in 1.5s.',
       'warning');
    cmp_ok(time() - $start, '>', 1.4, 'not too early');
    is($m->wait_event('warn'),
       'Unauthenticated session reached the 4s limit; closing.', 'limit');
    cmp_ok(time() - $start, '>', 2.9, 'not too early');

    ok(!defined $m->read_message(5), 'ended');
    is_deeply($m->{closed}, [ 1000, 'public monitor session timeout' ],
              'with the documented reason');

    # the real client: same name after a lost connection, and the end

    my $client = $t->client('client', '-r', '127.0.0.1:' . $t->port('client'),
                            'http', $web->upstream);
    ok($client->wait_up(), 'client is up') or diag $client->output;
    my $host = $client->host;
    is($t->get('/', host => $host)->{status}, 200, 'serves');

    is($client->wait_exit(30), 0, 'exit code of the client');
    like($client->output, qr/public monitor session timeout/, 'and why');
    is($t->get('/', host => $host)->{status}, 404, 'the name is forgotten');

    # resumed after a loss

    my @default = (connect => { port => $t->port('default') });

    $m = $t->login(auth => 'public', @default);
    my ($url, $id) = @{$m->{reply}}{qw(url containerId)};
    $m->abort();

    wait_for { $t->read_file('error.log') =~ /tunnel \Q$id\E .*ended/ } 5,
        'the end of the session';

    my $other = $t->login(@default, resume => $id);
    isnt($other->{reply}{url}, $url, 'not for another identity');

    my $again = $t->login(auth => 'public', @default, resume => $id);
    is($again->{reply}{url}, $url, 'resumed after a loss: the same name');
    isnt($again->{reply}{containerId}, $id, 'a new session');

    my $late = $t->login(auth => 'public', @default, resume => $id);
    isnt($late->{reply}{url}, $url, 'only once');

    # the real client, whose workers are killed

    $client = $t->client('client', '-r', '127.0.0.1:' . $t->port('default'),
                         'http', $web->upstream);
    ok($client->wait_up(), 'client is up');
    $host = $client->host;

    $t->allow_log(qr/exited on signal 9/);
    kill 'KILL', $_ for $t->workers;

    ok($client->wait_up(2, 20), 'and again, after its workers were killed');
    is($client->host, $host, 'with the same random name');

    # the lifetime goes on in the session that resumes

    $start = time();
    $m = $public->($port);
    ($url, $id) = @{$m->{reply}}{qw(url containerId)};
    select undef, undef, undef, 2.5;
    $again = $public->($port, resume => $id);
    is($again->{reply}{url}, $url, 'resumed while it is up');
    1 while defined $again->read_message(8);
    cmp_ok(time() - $start, '<', 6.2, 'not longer than one lifetime');
    is(($again->{closed} || [])->[1], 'public monitor session timeout',
       'and closed');

    $t->finish();
}
