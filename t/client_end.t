# The client's end: streams of an edge process that has left, names that are
# still looked up; and what it refuses to begin with.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;

my $t = Inlets::Test->new(workers => 2);
my $echo = $t->service('echo');

$t->edge(tcp_ports => 2)->run();

# A reload moves the tunnel; a visitor stays with the old session, and may
# finish there after SIGTERM.

my $client = $t->tunnel('tcp', $echo->upstream, '--grace', 20000);
my $visitor = $t->connect(port => $client->port);

$visitor->send('one');
is($visitor->read_exact(3), 'one', 'before the reload');

ok($t->reload(), 'reload');
ok($client->wait_output(qr/moved to another edge process/), 'moved');

$visitor->send('two');
is($visitor->read_exact(3), 'two', 'in the old session');

$client->signal('TERM');
ok($client->wait_output(qr/SIGTERM: shutting down/), 'SIGTERM');
select undef, undef, undef, 0.5;
ok($client->alive(), 'waits for the stream of the old session');

$visitor->send('three');
is($visitor->read_exact(5), 'three', 'after SIGTERM');

$visitor->shutdown();
is($visitor->read_all(), '', 'ended as it should');
is($client->wait_exit(), 0, 'then the client ends');
unlike($client->output(), qr/did not end in time|were cut/, 'nothing was cut');

# A name that nobody answers for holds up a thread, but not the end.

$t->file('slow.c', <<'C');
#include <netdb.h>
#include <unistd.h>

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **ret)
{
    sleep(60);
    return EAI_AGAIN;
}
C

my $shim = "$t->{dir}/slow.so";

SKIP: {
    skip 'no compiler', 4
        if system("cc -shared -fPIC -w -o $shim $t->{dir}/slow.c") != 0;

    skip 'sanitizers want to be loaded first', 4 if Inlets::Test::preload();

    my %env = (env => { LD_PRELOAD => $shim });
    my $stuck = $t->client({ token => 1, %env }, 'client', '-r',
                           'edge.test:80', 'http', 3000);
    ok($stuck->wait_output(qr/Connecting to/), 'a name is looked up');

    my $start = time;
    is($stuck->stop(), 0, 'client: exit code');
    cmp_ok(time - $start, '<', 10, 'client: at once');

    $stuck = $t->client(\%env, 'forward', '-s', 'edge.test:80', '-t', '1');
    select undef, undef, undef, 0.3;

    $start = time;
    $stuck->stop();
    cmp_ok(time - $start, '<', 10, 'forward: at once');
}

# Rules that don't fit into a login are refused, not tried for ever.

$t->file('users', join '', map { "user$_:" . '"' x 450 . "\n" } 1 .. 16);

my $long = $t->client({ token => 1 }, 'client', '-r',
                      '127.0.0.1:' . $t->port(0), '--basic-auth-file',
                      "$t->{dir}/users", 'http', 3000);
is($long->wait_exit(), 1, 'too long rules: exit code');
like($long->output(), qr/the rules for visitors are too long/, 'and why');

$t->file('users', join '', map { "user$_:" . 'x' x 450 . "\n" } 1 .. 16);

my $rules = $t->tunnel('http', $echo->upstream, '--basic-auth-file',
                       "$t->{dir}/users");
like($rules->output(), qr/Forwarding/, 'long rules: up');
is($rules->stop(), 0, 'exit code');

$t->finish();
