# What the client says: JSON, requests, and a pipe that nobody reads.

use strict;
use warnings;

use Fcntl qw(O_RDONLY O_NONBLOCK);
use JSON::PP;
use POSIX qw(mkfifo);
use Test::More;
use Inlets::Test;

my $t = Inlets::Test->new();
my $web = $t->service('http');

$t->edge()->run();

my @remote = ('-r', '127.0.0.1:' . $t->port(0));

sub objects {
    my ($text) = @_;
    return map { eval { JSON::PP->new->decode($_) } || { bad => $_ } }
        split /\n/, $text;
}

# JSON.

my $client = $t->client({ token => 1, env => { TZ => 'Asia/Tokyo' } },
    'client', @remote, '--log-format', 'json', '--log-requests', '-s', 'json',
    'http', $web->upstream());

ok($client->wait_output(qr/"level":"notice"/), 'JSON: up');

my ($notice) = grep { $_->{level} eq 'notice' } objects($client->output());
like($notice->{msg}, qr{^Forwarding: http://json\.example\.com\S* -> http://},
    'JSON: notice');
like($notice->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    'JSON: its time');

is($t->get('/status?code=404&q=%22"\\', host => 'json.example.com')->{status},
    404, 'JSON: a request');
ok($client->wait_output(qr/"msg":"request"/), 'JSON: is logged');

my ($request) = grep { $_->{msg} eq 'request' } objects($client->output());
is($request->{level}, 'info', 'JSON: level');
is($request->{method}, 'GET', 'JSON: method');
is($request->{path}, '/status?code=404&q=%22"\\', 'JSON: path');
is($request->{status}, 404, 'JSON: status');
like($request->{ms}, qr/^\d+$/, 'JSON: time');
ok(!exists $request->{tunnel}, 'JSON: no name, no tunnel');

is($client->stop(), 0, 'JSON: end');
is(join("\n", map { $_->{bad} // () } objects($client->output())), '',
    'JSON: every line');

# Text.

$client = $t->tunnel('http', $web->upstream(), '-s', 'text', '--log-requests',
    '--log-utc');
$t->get('/status?code=404', host => 'text.example.com');
ok($client->wait_output(qr{^\[inlets\]\ \d{4}/\d\d/\d\d\ \d\d:\d\d:\d\d
                           \ \[http\]\ GET\ /status\?code=404\ 404\ \d+\ ms$}mx),
    'text: request');
is($client->stop(), 0, 'text: end');
unlike($client->output(), qr/\e/, 'text: no colours');

$client = $t->tunnel('http', $web->upstream(), '-s', 'text');
$t->get('/status?code=404', host => 'text.example.com');
is($client->stop(), 0, 'requests: end');
unlike($client->output(), qr/\[http\]/, 'requests: only if asked for');

# Flags.

$client = $t->client('client', @remote, '--log-format', 'xml', 'http', '3000');
is($client->wait_exit(), 1, 'unknown format');
like($client->output(), qr/^Error: .*log.?format/, 'it is named');

# A pipe that nobody reads, and one whose reader goes.

my $path = "$t->{dir}/pipe";
mkfifo($path, 0600) or die "$path: $!";
sysopen my $pipe, $path, O_RDONLY | O_NONBLOCK or die "$path: $!";

$client = $t->client({ token => 1, stdout => $path }, 'client', @remote,
    '--log-requests', '-s', 'pipe', 'http', $web->upstream());

my $text = '';
wait_for { sysread $pipe, $text, 65536, length $text; $text =~ /Forwarding/ }
    15, 'client to be up';

my $good = 0;

for my $i (1 .. 800) {
    $good++ if $t->get("/?$i=" . 'x' x 230, host => 'pipe.example.com')
               ->{status} == 200;
}

is($good, 800, 'a pipe that nobody reads holds nothing up');

$text = '';
wait_for {
    $t->get('/', host => 'pipe.example.com');
    1 while sysread $pipe, $text, 65536, length $text;
    $text =~ /GET \/ 200 .*\n/;
} 15, 'the last line';

like($text, qr/warning: (\d+) lines of the log left out/, 'lines were lost');
unlike($text, qr/\d ms(?!\n|\z)/, 'none in part');
like($text, qr/ GET \/ 200 /, 'and it goes on');

close $pipe;
is($t->get('/', host => 'pipe.example.com')->{status}, 200, 'no reader')
    for 1 .. 3;
is($client->stop(), 0, 'no reader: end');

# Closed ones: nothing else gets their numbers, and with them the log.

$client = $t->client({ token => 1, program => '/bin/bash', no_valgrind => 1 },
    '-c', 'exec "$@" <&- >&- 2>&-', 'bash', "$Inlets::Test::BUILD/inlets",
    'client', @remote, '-s', 'closed', 'http', $web->upstream());
ok(wait_for {
       $t->get('/', host => 'closed.example.com')->{status} == 200
   } 15, 'closed: up');
is(join(' ', map { readlink('/proc/' . $client->pid() . "/fd/$_") // '?' }
                 0 .. 2), '/dev/null /dev/null /dev/null', 'closed: occupied');
is($client->stop(), 0, 'closed: end');

$t->finish();
