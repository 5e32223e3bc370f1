# The live view, on a terminal of our own; and where there is none.

use strict;
use warnings;

use Test::More;
use Inlets::Test;

eval { require IO::Pty; 1 } or plan skip_all => 'no IO::Pty';

my $t = Inlets::Test->new(workers => 2);
my $web = $t->service('http');
my $origin = $t->listener();

$t->edge()->run();

my %terminal = (TERM => 'xterm', NO_COLOR => undef, LC_ALL => 'C.UTF-8',
                TZ => 'UTC', TMUX => undef, XTERM_VERSION => undef);

sub start {
    my ($size, $env, @arguments) = @_;

    my $client = $t->client({ token => 1, terminal => $size,
            env => { %terminal, %$env } },
        'client', '-r', '127.0.0.1:' . $t->port(0), '--grace', 300,
        @arguments);

    $client->wait_up() or diag($client->output());

    return $client;
}

sub headers {
    my ($text) = @_;
    return scalar(() = $text =~ /^inlets \d/mg);
}

my $port = $t->port(0);

# What it shows.

my $client = start([100, 60], {}, '-s', 'demo', 'http', $web->upstream());
my $terminal = $client->terminal();

ok($terminal->wait_screen(
        qr{^inlets \d\S+  ws://127\.0\.0\.1:$port\S*  online$}m),
    'the edge, and how it is');
like($terminal->screen(),
    qr{^online .*demo\.example\.com\S* -> http://127\.0\.0\.1:\d+}m,
    'the tunnel');

is($t->get('/', host => 'demo.example.com')->{status}, 200, 'a request');
ok($terminal->wait_screen(qr/^\d\d:\d\d:\d\d GET \/ 200 +\d+ ms$/m),
    'is shown');

$t->get("/status?code=503&p=$_", host => 'demo.example.com') for 1 .. 40;
ok($terminal->wait_screen(qr/p=40 +503 /), 'many: the last one');
unlike($terminal->screen(), qr/p=30 /, 'not all');
ok($terminal->wait_screen(qr/\d\.\d kB in, \d+\.\d kB out/), 'bytes');

$t->get('/status?code=404&x=%1b[31m%9b', host => 'demo.example.com');
ok($terminal->wait_screen(qr/x=%1b\[31m%9b +404/), 'as it came');

$t->get("/status?code=404&y=\x9b2J\xff\xc3\xa4", host => 'demo.example.com');
ok($terminal->wait_screen(qr/y=\S+ +404/), 'with bytes of all kinds');

my $conn = $t->connect();
$conn->send_request('GET', '/hang', host => 'demo.example.com');
ok($terminal->wait_screen(qr/[1-9]\d* open, /), 'streams');
$conn->close();

is($terminal->unknown(), '', 'nothing that a terminal would not expect');
like($terminal->colours(), qr/\b32\b.*\b33\b/, 'colours');
like($terminal->all(), qr/^Forwarding: \S+ -> \S+\n(?:.*\n)*inlets \d/m,
    'the log is above');
is(headers($terminal->all()), 1, 'it is there once');

# Its size changes.

$terminal->resize(50, 60);
ok($terminal->wait_screen(qr{^inlets \S+  ws://\S+  online\n(?:.{1,49}\n){7}}m),
    'narrower');
is(headers($terminal->all()), 1, 'nothing is left of the wide one');

$terminal->resize(19, 60);
ok($terminal->wait_screen(qr/^inlets online$/m), 'too narrow');
unlike($terminal->all(), qr/^inlets \d/m, 'nothing else is left');

$terminal->resize(120, 60);
ok($terminal->wait_screen(qr/ 404 .*\n/), 'wide');
is(headers($terminal->all()), 1, 'it is there once');
unlike($terminal->all(), qr/^inlets online$/m, 'instead of the short one');

like($terminal->all(), qr/^Forwarding: \S+ -> \S+$/m, 'the log is not lost');

# Stopped, while somebody else writes to the terminal.

$client->signal('STOP');
wait_for { $t->read_file('/proc/' . $client->pid() . '/stat') =~ /\) T / } 5,
    'client to stand still';
$terminal->pump();
$terminal->type("a shell\n");           # echoed, as nobody reads it
ok($terminal->wait_screen(qr/^a shell$/m), 'others write');

$client->signal('CONT');
ok($terminal->wait_screen(qr/^a shell\n+inlets \d/m), 'below, when it goes on');
is(headers($terminal->all()), 2, 'what others wrote was not erased');

# The edge goes, and comes back.

my $mark = $t->mark();
$t->stop('TERM');
ok($terminal->wait_screen(qr/^(?:waiting|connecting)\b/m), 'the edge is gone');
$t->run();
ok($terminal->wait_screen(qr/ retrying\ in .*\n (?:.*\n)*
                             inlets\ \d.*\ online\n/x, 20), 'it is back');

# The end.

$client->signal('TERM');
is($client->wait_exit(), 0, 'signal');
like($terminal->all(),
    qr/SIGTERM: shutting down\n(?:.*\n)*inlets \d.* online\n.*\n/,
    'the last line of the log, the last drawing');

my ($row, $column) = $terminal->cursor();
is($column, 0, 'the cursor is at the beginning of a line');
is($terminal->{rows}[$row]{text}, '', 'of one below it all');
is($terminal->unknown(), '', 'nothing unknown');

my @times = $terminal->all() =~ /^Forwarding: /mg;
ok(@times >= 1, 'all lines of the log are above');

# Many tunnels in a low terminal; no colours.

$client = start([80, 12], { NO_COLOR => 1 }, '-s', 'plain', 'http',
    $web->upstream());
$terminal = $client->terminal();
$t->get('/', host => 'plain.example.com');
ok($terminal->wait_screen(qr/ GET \/ 200 /), 'NO_COLOR: shown');
is($terminal->colours(), '', 'NO_COLOR: no colours');
is($client->stop(), 0, 'NO_COLOR: end');

$client = start([80, 24], { NO_COLOR => '', LC_ALL => 'C' }, '-s', 'ascii',
    'http', $web->upstream());
$terminal = $client->terminal();
$t->get('/' . 'x' x 200, host => 'ascii.example.com');
ok($terminal->wait_screen(qr/ GET \/x{40,}~ 404 /), 'no UTF-8: cut');
isnt($terminal->colours(), '', 'an empty NO_COLOR: colours');
is($client->stop(), 0, 'end');

# Lines of the log where a byte is a character: 0x9b begins a command there.

my $strange = "a\xdb\x9b2J\xf0\x9f\x98\x80";
$t->file('strange.yml', "server: ws://127.0.0.1:$port\n"
    . "tunnels:\n  - {name: \"$strange\", type: http, upstream: '"
    . $web->upstream() . "'}\n");

for my $case (['C', 'text', 'a?2J?'], ['C.UTF-8', 'text', $strange],
              ['C', 'json', 'a\u06db2J\ufffd'], ['C.UTF-8', 'json', $strange])
{
    my ($locale, $format, $shown) = @$case;

    $client = $t->client({ token => 1, terminal => [200, 24],
            env => { %terminal, LC_ALL => $locale } },
        'client', '-c', "$t->{dir}/strange.yml", '--plain', '--log-format',
        $format);
    ok($client->wait_output(qr/\Q$shown\E: Connecting/),
       "$format in locale $locale");
    $client->stop();
    unlike($client->output(), qr/[\x80-\xff]/,
           "$format in locale $locale: nothing but ASCII") if $locale eq 'C';
}

for my $term ('dumb', undef) {
    my $name = defined $term ? $term : 'none';

    $client = start([80, 24], { TERM => $term }, '-s', 'dumb', 'http',
        $web->upstream());
    is($t->get('/', host => 'dumb.example.com')->{status}, 200,
        "TERM $name: works");
    is($client->stop(), 0, "TERM $name: end");
    unlike($client->output(), qr/\e/, "TERM $name: nothing is escaped");
    unlike($client->output(), qr/^inlets \d/m, "TERM $name: no view");
}

# Lines of the log on a terminal.

for my $flags (['--plain'], ['--log-format', 'json']) {
    $client = $t->client({ token => 1, terminal => [80, 24],
            env => { %terminal } }, 'client', '-r', "127.0.0.1:$port",
        @$flags, '-s', 'lines', 'http', $web->upstream());
    ok($client->wait_output(qr/Forwarding: /), "@$flags: up");
    is($client->stop(), 0, "@$flags: end");
    unlike($client->output(), qr/^inlets \d/m, "@$flags: no view");
    is($client->terminal()->unknown(), '', "@$flags: nothing unknown");
}

# Colours of the log: one thing that there is to warn of.

for my $env ({}, { NO_COLOR => 'yes' }) {
    my $name = join('', %$env) || 'colours';

    $client = $t->client({ token => 1, terminal => [80, 24],
            env => { %terminal, %$env } }, 'client', '-r',
        "wss://127.0.0.1:$port", '--insecure', '--plain', 'http', '3000');
    ok($client->wait_output(qr/warning:/), "$name: a warning");
    is($client->terminal()->colours(), $env->{NO_COLOR} ? '' : '0 33',
        "$name: of a warning");
    is($client->stop(), 0, "$name: end");
}

# In the hands of a shell: in the background, stopped, brought back.

my $shell = $t->client({ token => 1, terminal => [120, 60],
        env => { %terminal, PS1 => '$ ' }, program => '/bin/bash',
        no_valgrind => 1 }, '--norc', '--noediting', '-i');
$terminal = $shell->terminal();
$terminal->type("$Inlets::Test::BUILD/inlets client -r 127.0.0.1:$port "
    . '--grace 300 -s shell http ' . $web->upstream() . " &\n");
ok($shell->wait_up(), 'background: up');
$t->get('/', host => 'shell.example.com');
is(headers($terminal->all()), 0, 'background: no view');

$terminal->type("fg\n");
ok($terminal->wait_screen(qr/ GET \/ 200 .*\n\z/), 'foreground: a view');
$terminal->type("\cZ");
ok($terminal->wait_screen(qr/Stopped/), 'stopped');
$terminal->type("bg\n");
wait_for { $t->get('/', host => 'shell.example.com')->{status} == 200 } 10,
    'client to go on';
$terminal->type("echo still 'here'\n");
ok($terminal->wait_screen(qr/^still here$/m), 'background: the shell is free');
is(headers($terminal->all()), 1, 'background: nothing new');
$terminal->type("fg\n");
ok($terminal->wait_screen(qr/^still here\n(?:.*\n)+inlets \d.* online\n/m),
    'foreground: below');
is(headers($terminal->all()), 2, 'foreground: as new');
$terminal->type("\cC");
ok($terminal->wait_screen(qr/SIGINT:\ .*\n (?:.*\n)* inlets\ \d.*\ online\n
                             (?:.*\n)+ \$\ \n*\z/x), 'Ctrl-C');
$terminal->type("exit\n");
is($shell->wait_exit(), 0, 'the shell ends');
is(headers($terminal->all()), 2, 'the last drawing stays');

# A terminal that stands still.

$client = start([100, 24], {}, '-s', 'still', 'http', $web->upstream());
$terminal = $client->terminal();
$terminal->wait_screen(qr/ online\n/);

my $good = 0;

for (1 .. 300) {
    $good++ if $t->get('/?' . 'y' x 200, host => 'still.example.com')->{status}
               == 200;
}

is($good, 300, 'a terminal that nobody looks at holds nothing up');
$t->get('/?last', host => 'still.example.com');
ok($terminal->wait_screen(qr/\?last +200 /), 'it shows what is');
is(headers($terminal->all()), 1, 'once');
is($client->stop(), 0, 'end');

$t->finish();
