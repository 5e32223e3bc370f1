# Many tunnels from one file, and what happens when the file changes: the
# difference is applied, tunnels that are the same are not touched.

use strict;
use warnings;

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new(workers => 2);
my $one = $t->service('http');
my $two = $t->service(sub {
    my ($socket) = @_;

    while (defined $socket->read_request_head()) {
        $socket->send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntwo\n");
    }
});
my $origin = $t->listener();
my $echo = $t->service('echo');

my $clients = <<'EOS';
clients:
  - clientId: me
    clientSecret: of-me
    allow: { subDomains: [first] }
EOS

$t->file('server.yml', $clients);
$t->edge(tcp_ports => 4, http => 'inlets_config server.yml; inlets_wait 1s;',
         listen => 'listen 127.0.0.1:%%PORT_0%%; '
                   . 'listen 127.0.0.1:%%PORT_other%%;');
$t->run();

my $port = $t->port('tcp');
my $edge = 'http://127.0.0.1:' . $t->port(0);
my $file = $t->dir() . '/client.yml';


sub rewrite {
    my ($text) = @_;

    # as editors and tools do: never half a file

    $t->file('client.yml.new', $text);
    rename "$file.new", $file or die "rename: $!";
}


sub settings {
    my ($tunnels, %top) = @_;
    my $text = "server: " . ($top{server} // $edge) . "\n"
               . ($top{login} // "token: " . ($top{token} // $t->secret()))
               . "\ntunnels:\n";

    for my $name (sort keys %$tunnels) {
        my $keys = $tunnels->{$name};

        $text .= "  - name: $name\n";
        $text .= "    $_: $keys->{$_}\n" for sort keys %$keys;
    }

    return $text;
}


sub body {
    my ($label, @options) = @_;
    return $t->get('/', host => "$label.example.com", @options)->{body};
}


sub status {
    my ($label, @options) = @_;
    return $t->get('/', host => "$label.example.com", @options)->{status};
}


sub logins {
    my ($client, $name) = @_;
    return scalar(() = $client->output() =~ /\Q$name\E: \[authenticate\] conn/g);
}


# --- all of them come up, in one process

my %want = (
    alpha => { type => 'http', upstream => $one->upstream,
               subDomain => 'alpha' },
    beta  => { type => 'http', upstream => $origin->upstream,
               subDomain => 'beta' },
    ssh   => { type => 'tcp', upstream => $echo->upstream, port => $port },
);

rewrite(settings(\%want));

my $client = $t->client('client', '-c', $file, '--grace', 3000);

ok($client->wait_up(3), 'three tunnels are up');
is(body('alpha'), "it works\n", 'http');

my $tcp = $t->connect(port => $port);
$tcp->send('hello');
is($tcp->read_exact(5), 'hello', 'tcp');

# a request that stays open over all that follows

my $visitor = $t->connect();
$visitor->send_request('GET', '/long', host => 'beta.example.com');
my ($service) = $origin->request();
$service->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
$service->send("6\r\nfirst\n\r\n");
like($visitor->read_until(qr/first/), qr/200 OK/, 'a long answer begins');


# --- another local service: a new session, which takes the name over at once
#     (streams that rest at the edge belong to the old service)

$want{alpha}{upstream} = $two->upstream;
rewrite(settings(\%want));

ok($client->wait_output(qr/client\.yml was read again/), 'the change is seen');
wait_for { body('alpha') eq "two\n" } 10, 'the other service';
is(body('alpha'), "two\n", 'visitors reach the other service');
wait_for { logins($client, 'alpha') == 2 } 10, 'a new session';
is(logins($client, 'alpha'), 2, 'in a session of its own');
is(logins($client, $_), 1, "$_ is not touched") for qw(beta ssh);


# --- SIGHUP: another name

$want{alpha}{subDomain} = 'gamma';
rewrite(settings(\%want));
$client->signal('HUP');

wait_for { status('gamma') == 200 } 10, 'the new name';
is(body('gamma'), "two\n", 'the new name answers');
wait_for { status('alpha') != 200 } 10, 'the old name';
isnt(status('alpha'), 200, 'the old name does not');


# --- one is added, one is gone

$tcp->send('again');
is($tcp->read_exact(5), 'again', 'a connection on the one that will go');

delete $want{ssh};
$want{delta} = { type => 'http', upstream => $one->upstream,
                 subDomain => 'delta' };
rewrite(settings(\%want));

wait_for { status('delta') == 200 } 10, 'the added tunnel';
is(body('delta'), "it works\n", 'the added tunnel answers');
ok($client->wait_output(qr/tunnel ssh is not wanted any more/),
   'the other is said to end');

# it may finish, for the time of --grace

$tcp->send('still');
is($tcp->read_exact(5), 'still', 'its connection may finish');
$tcp->shutdown();
is($tcp->read_all(), '', 'and ends by itself');

wait_for {
    my $late = $t->connect(port => $port);
    $late->send('late');
    ($late->read_exact(4) // '') ne 'late';
} 10, 'the port is not served';


# --- rules for visitors

$want{delta}{basicAuth} = '["ann:secret"]';
rewrite(settings(\%want));

wait_for { status('delta') == 401 } 10, 'rules';
is(status('delta'), 401, 'a rule that was added is in force');
is(status('delta', headers => [Authorization => 'Basic YW5uOnNlY3JldA==']),
   200, 'and lets in who knows it');

delete $want{delta}{basicAuth};
rewrite(settings(\%want));

wait_for { status('delta') == 200 } 10, 'no rules';
is(status('delta'), 200, 'and is gone again');


# --- a wrong file changes nothing

my $logins = logins($client, 'delta');

rewrite("server: $edge\ntoken: x\ntunnels:\n  - name: alpha\n"
        . "    type: htpp\n    upstream: 1\n    colour: red\n");

ok($client->wait_output(qr/client\.yml:5: tunnels\[0\]\.type: .*htpp/),
   'the first fault, with file, line and key');
ok($client->wait_output(qr/client\.yml:7: .*colour/), 'and the second');
ok($client->wait_output(qr/client\.yml is not used, all stays as it was/),
   'and what follows');
is(status('gamma'), 200, 'all stays');
is(logins($client, 'delta'), $logins, 'all, indeed');

unlink $file or die "unlink: $!";
$client->signal('HUP');
ok($client->wait_output(qr/(?s:is not used.*){2}/), 'no file at all');
is(status('gamma'), 200, 'all stays');


# --- another name for the tunnel: the same place, and no gap

$want{renamed} = delete $want{delta};
rewrite(settings(\%want));

wait_for { $client->output() =~ /renamed: settings changed/ } 10, 'renamed';
is(status('delta'), 200, 'a tunnel of another name is the same one');
is(logins($client, 'renamed'), 0, 'in the same session');


# --- two swap their names

$want{renamed}{subDomain} = 'gamma';
$want{alpha}{subDomain} = 'delta';
rewrite(settings(\%want));

wait_for { (body('gamma') // '') eq "it works\n"
           && (body('delta') // '') eq "two\n" } 20, 'swapped';
is(body('gamma'), "it works\n", 'one has the name of the other');
is(body('delta'), "two\n", 'and the other way round');


# --- a token that the edge refuses, and one that it takes

rewrite(settings(\%want, token => 'wrong'));

ok($client->wait_output(qr/alpha: .*invalid signature/), 'refused');
rewrite(settings(\%want));
wait_for { status('delta') == 200 && status('gamma') == 200 } 20, 'back';
is(body('delta'), "two\n", 'the right token brings it back');


# --- another edge, or another way to it

rewrite(settings(\%want, server => 'http://127.0.0.1:' . $t->port('other')));

ok($client->wait_output(qr/alpha: Connecting to ws:\/\/127\.0\.0\.1:@{[
   $t->port('other') ]}/), 'another edge');
wait_for { status('delta') == 200 } 20, 'the other edge';
is(body('gamma'), "it works\n", 'all tunnels are there');


# --- beta was left alone by all but the last two, and its stream by all

$service->send("5\r\nlast\n\r\n0\r\n\r\n");
like($visitor->read_all(), qr/last/, 'the long answer ends as it should');

is($client->stop(), 0, 'exit code');


# --- some of a file

rewrite(settings(\%want));
$client = $t->client('client', '-c', $file, 'alpha');
ok($client->wait_up(1), 'one of the file');
is(body('delta'), "two\n", 'answers');
wait_for { status('gamma') == 503 || status('gamma') == 404 } 10, 'no other';
isnt(status('gamma'), 200, 'the others are not there');
is($client->stop(), 0, 'exit code');


# --- one that can't come up does not harm the others

my $holder = $t->tunnel('http', $one->upstream, '-s', 'taken');

rewrite(settings({ bad  => { type => 'http', upstream => $one->upstream,
                             subDomain => 'taken' },
                   good => { type => 'http', upstream => $two->upstream,
                             subDomain => 'good' } }));
$client = $t->client('client', '-c', $file);
ok($client->wait_output(qr/error: bad: authentication failed: domain id has/),
   'one is refused');
ok($client->wait_up(1), 'the other is up');
is(body('good'), "two\n", 'and answers');

$holder->stop();
$client->signal('HUP');
wait_for { (body('taken') // '') eq "it works\n" } 20, 'tried again';
is(body('taken'), "it works\n", 'SIGHUP tries what had failed again');
is($client->stop(), 0, 'exit code');

$holder = $t->tunnel('http', $one->upstream, '-s', 'taken');
rewrite(settings({ bad => { type => 'http', upstream => $one->upstream,
                            subDomain => 'taken' } }));
$client = $t->client('client', '-c', $file);
is($client->wait_exit(20), 1, 'none is left: exit code 1');
$holder->stop();


# --- a link in the path that leads elsewhere from now on

mkdir $t->dir() . "/$_" or die "mkdir: $!" for 'v1', 'v2';
$t->file('v1/client.yml', settings({ web => { type => 'http',
         upstream => $one->upstream, subDomain => 'linked' } }));
$t->file('v2/client.yml', settings({ web => { type => 'http',
         upstream => $two->upstream, subDomain => 'linked' } }));
symlink 'v1', $t->dir() . '/current' or die "symlink: $!";

$client = $t->client('client', '-c', $t->dir() . '/current/client.yml');
ok($client->wait_up(1), 'a file behind a link');
is(body('linked'), "it works\n", 'answers');

symlink 'v2', $t->dir() . '/next' or die "symlink: $!";
rename $t->dir() . '/next', $t->dir() . '/current' or die "rename: $!";
wait_for { (body('linked') // '') eq "two\n" } 20, 'the link';
is(body('linked'), "two\n", 'the new file counts');
is($client->stop(), 0, 'exit code');


# --- a name that changes hands while the visitors of it are still there

sub long_answer {
    my ($label) = @_;
    my $visitor = $t->connect();

    $visitor->send_request('GET', '/', host => "$label.example.com");

    my ($service) = $origin->request();
    $service->send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst");
    like($visitor->read_until(qr/first/), qr/200 OK/, "$label: a long answer");

    return ($visitor, $service);
}

%want = map { $_ => { type => 'http', upstream => $origin->upstream,
                      subDomain => $_ } } qw(left right);
rewrite(settings(\%want));
$client = $t->client('client', '-c', $file, '--grace', 60000);
ok($client->wait_up(2), 'two tunnels');

($visitor, $service) = long_answer('left');
my ($other, $its) = long_answer('right');

$want{left} = { type => 'http', upstream => $one->upstream,
                subDomain => 'right' };
$want{right} = { type => 'http', upstream => $two->upstream,
                 subDomain => 'left' };
rewrite(settings(\%want));

ok($client->wait_up(4), 'two others');
is(body('left'), "two\n", 'one has the name of the other');
is(body('right'), "it works\n", 'and the other way round');

# one goes, and is back before its connections are done

my $gone = delete $want{right};
rewrite(settings(\%want));
ok($client->wait_output(qr/tunnel right is not wanted/), 'one is gone');
$want{right} = { %$gone, upstream => $one->upstream };
rewrite(settings(\%want));
ok($client->wait_up(5), 'and back again');
is(body('left'), "it works\n", 'with another service');

unlike($client->output, qr/has been used/, 'nobody had to wait for a name');

for ([$visitor, $service], [$other, $its]) {
    $_->[1]->send('last');
    $_->[1]->close();
    like($_->[0]->read_until(qr/last/), qr/last/, 'a long answer goes on');
}

is($client->stop(), 0, 'exit code');


# --- a port is asked for that another tunnel has, which may have any

%want = (any => { type => 'tcp', upstream => $echo->upstream });
rewrite(settings(\%want));
$client = $t->client('client', '-c', $file);
ok($client->wait_up(), 'any port');

my $wanted = $client->port;
$want{one} = { type => 'tcp', upstream => $echo->upstream, port => $wanted };
rewrite(settings(\%want));
ok($client->wait_up(3), 'one asks for that port');

my (undef, @ports) = $client->output =~ m{Forwarding: tcp://\S+:(\d+) }g;
is(scalar(grep { $_ == $wanted } @ports), 1, 'and has it');
isnt($ports[0], $ports[1], 'the other has another');
is($client->stop(), 0, 'exit code');


# --- a name that the edge refuses, until its settings allow it

%want = (web => { type => 'http', upstream => $origin->upstream,
                  subDomain => 'first' });
my @me = (login => 'credentials: me:of-me');
rewrite(settings(\%want, @me));
$client = $t->client('client', '-c', $file);
ok($client->wait_up(), 'a client with a name of its own');

($visitor, $service) = long_answer('first');
$want{web}{upstream} = $one->upstream;
$want{web}{subDomain} = 'second';
rewrite(settings(\%want, @me));
ok($client->wait_output(qr/refused the new settings, the tunnel stays/),
   'another name is refused');
is(body('first'), "it works\n", 'the tunnel stays');

$clients =~ s/first/first, second/;
$t->file('server.yml.new', $clients);
rename $t->dir() . '/server.yml.new', $t->dir() . '/server.yml'
    or die "rename: $!";

wait_for {
    $client->signal('HUP');
    (body('second') // '') eq "it works\n";
} 20, 'tried again';
is(body('second'), "it works\n", 'SIGHUP tries it again');
wait_for { status('first') != 200 } 20, 'left';
isnt(status('first'), 200, 'and the old name is left');

$service->send('last');
$service->close();
like($visitor->read_until(qr/last/), qr/last/, 'its long answer goes on');
is($client->stop(), 0, 'exit code');


# --- without a file SIGHUP ends the process, as it does others

$client = $t->tunnel('http', $one->upstream, '-s', 'plain');
$client->signal('HUP');
is($client->wait_exit(10), -1, 'SIGHUP without a file');


# --- someone at this address has guessed: it waits, and serves meanwhile

%want = (web => { type => 'http', upstream => $one->upstream,
                  subDomain => 'before' });
rewrite(settings(\%want));
$client = $t->client('client', '-c', $file);
ok($client->wait_up(), 'a tunnel');

$t->login(secret => 'wrong') for 1 .. 11;
$want{web}{subDomain} = 'after';
rewrite(settings(\%want));
ok($client->wait_output(qr/too many failed logins.* retrying/),
   'the new settings have to wait');
is(body('before'), "it works\n", 'the tunnel stays until then');
is($client->stop(), 0, 'exit code');

$t->finish();
