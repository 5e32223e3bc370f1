# Who may log in: clock drift, answers that tell nothing, limited attempts.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha512_hex);
use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;

my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 2, 4;
my $blocked = 'too many failed logins from this address, '
              . 'try again in a minute';

sub at {
    my ($t, $seconds, %opt) = @_;
    my $stamp = sprintf '%.0f', (time() + $seconds) * 1000;
    my $sign = hmac_sha512_hex($stamp, $opt{secret} || $t->secret);

    return $t->login(%opt, fields => { timestamp => $stamp + 0,
                                       signature => $sign })->{reply};
}


# Drift, and credentials.

my $t = $t{2};

$t->file('s.yml', <<'END');
domain: example.com
token: file-token
clients:
  - clientId: one
    clientSecret: secret-of-one
  - clientId: off
    clientSecret: secret-of-off
    disabled: true
END

$t->edge(
    http => 'inlets_auth_attempts 0;',
    servers => 'server {
                    listen 127.0.0.1:%%PORT_short%%;
                    inlets_max_drift 2s;
                    location /_/ { inlets_connect edge; }
                }
                server {
                    listen 127.0.0.1:%%PORT_off%%;
                    inlets_max_drift 0;
                    location /_/ { inlets_connect edge; }
                }
                server {
                    listen 127.0.0.1:%%PORT_file%%;
                    inlets_config s.yml;
                    location /_/ { inlets_connect edge; }
                }',
)->run();

my $clock = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
my $differ = qr/^clocks differ too much: $clock at the client, $clock at this server, (\S+) apart, at most (\S+) is allowed$/;

ok(at($t, $_)->{ok}, "$_ s: accepted") for -280, 0, 280;

for my $seconds (-320, 320) {
    my $m = at($t, $seconds)->{message} || '';

    ok($m =~ $differ, "$seconds s: refused") or diag $m;
    my ($apart, $most) = ($1, $2);
    like($apart, qr/^5m(?:19|20|21)(?:\.\d+)?s$/, 'how far apart');
    is($most, '5m0s', 'how far they may be');
}

like(at($t, -86400 * 40)->{message}, $differ, 'a recorded login');
unlike(at($t, -320)->{message}, qr/T00:00:00/, 'clocks');
like(at($t, 3, connect => { port => $t->port('short') })->{message}, $differ,
     'inlets_max_drift 2s');
ok(at($t, -86400 * 365, connect => { port => $t->port('off') })->{ok},
   'inlets_max_drift 0');
is(at($t, -320, secret => 'wrong')->{message}, 'invalid signature',
   'the clock is told to those who have the secret');

my @file = (connect => { port => $t->port('file') });

is($t->login(@file, auth => 'credentials', client => 'one',
             secret => 'secret-of-one')->{reply}{clientId}, 'one',
   'credentials');
ok($t->login(@file, secret => 'file-token')->{reply}{ok}, 'token of the file');

my %reply;

for my $case ([ 'one', 'wrong' ], [ 'nobody', 'wrong' ], [ 'nobody', '-' ],
              [ 'off', 'wrong' ], [ 'off', 'secret-of-off' ],
              [ '', 'secret-of-one' ], [ 'one', 'file-token' ],
              [ 'ONE', 'secret-of-one' ], [ 'nobody', 'file-token' ])
{
    my ($id, $secret) = @$case;
    my $ws = $t->login(@file, auth => 'credentials', client => $id,
                       secret => $secret);

    is_deeply($ws->{reply}, { ok => JSON::PP::false(),
                              message => 'invalid signature' },
              "'$id' with a wrong secret, unknown or disabled: one answer");
}

unlike($t->read_file('error.log'), qr/secret-of|file-token/,
       'no secrets in the log');

# of a file, in the client

$t->file('credentials', "one:secret-of-one\n");
my $client = $t->client('client', '-r', '127.0.0.1:' . $t->port('file'),
                        '--credentials-file', $t->dir . '/credentials',
                        'http', 80);
ok($client->wait_up(), '--credentials-file');

$client = $t->client('client', '-r', '127.0.0.1:1', '--credentials-file',
                     $t->dir . '/none', 'http', 80);
isnt($client->wait_exit(10), 0, 'no such file');
like($client->output, qr/cannot read credentials file/, 'said');

$client = $t->client('client', '-r', '127.0.0.1:1', '--credentials', 'a:b',
                     '--credentials-file', $t->dir . '/credentials', 'http',
                     80);
isnt($client->wait_exit(10), 0, 'both');
like($client->output, qr/either credentials or/, 'said');

$t->finish();


# Attempts, over all workers.

for my $workers (1, 4) {
    my $t = $t{$workers};

    $t->edge(
        http => 'inlets_auth_attempts 5; real_ip_header X-From;
                 set_real_ip_from 127.0.0.1;',
    )->run();

    my $try = sub {
        my ($from, $secret) = @_;
        my @from = $from ? (connect => { headers => [ 'X-From' => $from ] })
                   : ();

        return $t->login(@from, secret => $secret || 'wrong')->{reply};
    };

    ok($try->('192.0.2.9', $t->secret)->{ok}, "$workers workers: good login");

    is($try->('192.0.2.1')->{message}, 'invalid signature', 'failed')
        for 1 .. 5;

    is($try->('192.0.2.1')->{message}, $blocked, 'one too many');
    is($try->('192.0.2.1', $t->secret)->{message}, $blocked,
       'not checked any more') for 1 .. $workers;
    ok($try->('192.0.2.2', $t->secret)->{ok}, 'another address');
    is($try->('192.0.2.2')->{message}, 'invalid signature',
       'counted by itself');

    $try->("2001:db8::$_") for 1 .. 5;
    is($try->('2001:db8::77')->{message}, $blocked, 'the /64 of IPv6');
    is($try->('2001:db8:0:1::1')->{message}, 'invalid signature',
       'another /64');

    # more addresses than are remembered

    if ($workers == 1 && !$ENV{INLETS_VALGRIND}) {
        $try->(join '.', 10, 0, $_ >> 8, $_ & 255) for 1 .. 1100;
        ok($try->('10.1.0.1', $t->secret)->{ok}, 'many addresses');
    }

    like($t->read_file('error.log'),
         qr/\[warn\] .*5 logins from 192\.0\.2\.1 failed within a minute/,
         'logged');

    # a failed clock is no guess

    at($t, -320) for 1 .. 7;
    ok($try->('', $t->secret)->{ok}, 'clocks are not counted');

    $t->finish();
}
