# Link keys: who only knows a link's URL, from an access log for one, can't
# attach one of his own.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;

for my $workers (1, 4) {
    my $t = $t{$workers};
    my $web = $t->service('http');

    $t->edge()->run();

    my $monitor = $t->login(name => 'demo', mux => { key => \1 });
    my $mux = $monitor->{reply}{config}{negotiatedCapabilities}{features}{mux};
    my $key = $mux->{key};

    like($key, qr/\A[0-9a-f]{64}\z/, "$workers: a key");
    isnt($t->login(name => 'other', mux => { key => \1 })->{reply}{config}
         {negotiatedCapabilities}{features}{mux}{key}, $key,
         'another session has another one');
    is($t->login(name => 'old')->{reply}{config}{negotiatedCapabilities}
       {features}{mux}{key}, undef, 'none that was not asked for');

    my $path = sprintf '/_/data?clientId=%s&containerId=%s&mux=1',
                       @{$monitor->{reply}}{qw(clientId containerId)};

    my $refused = sub {
        my ($name, @headers) = @_;

        # as many as it takes to meet all workers

        for (1 .. 2 * $workers) {
            my $ws = $t->websocket($path, headers => [@headers]);
            is($ws->status, 403, "$name: refused");
            like($ws->{response}{body}, qr/key of its session/, 'and told why');
        }
    };

    $refused->('no key');
    $refused->('empty', 'Inlets-Key' => '');
    $refused->('wrong', 'Inlets-Key' => '0' x 64);
    $refused->('half of it', 'Inlets-Key' => substr $key, 0, 32);
    $refused->('too long', 'Inlets-Key' => "${key}0");

    for (1 .. $workers) {
        my $ws = $t->websocket($path, headers => ['Inlets-Key' => $key]);
        is($ws->status, 101, 'the key');
        $ws->close();
    }

    # it holds over a reload, for the session does

    $t->reload();
    $refused->('after a reload');

    # the program shows it, and what it shows is not in the log

    my $client = $t->tunnel('http', $web->upstream, '-s', 'real');
    is($t->get('/', host => 'real.example.com')->{body}, "it works\n",
       'the client');
    like($t->access_log(), qr{GET /_/data\?}, 'the URL is logged');
    unlike($t->access_log(), qr/\Q$key\E/, 'the key is not');

    is($client->stop(), 0, 'exit code');
    $monitor->close();
    $t->finish();
}
