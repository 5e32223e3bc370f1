# A settings file that changes while the edge runs: seen within a second by
# every worker, taken whole or not at all, told once.

use strict;
use warnings;

use File::Copy ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Inlets::Test;

# in place, by rename, or by another target of a symbolic link
my %write = (
    'in place' => sub {
        my ($t, $text) = @_;
        $t->file('server.yml', $text);
    },
    'by rename' => sub {
        my ($t, $text) = @_;
        $t->file('server.yml.new', $text);
        rename $t->dir() . '/server.yml.new', $t->dir() . '/server.yml' or die;
    },
);


my $listen = 'listen 127.0.0.1:%%PORT_0%% reuseport;';


sub yaml {
    my (@ids) = @_;
    return "domain: example.com\ntoken: shared\nclients:\n"
           . join('', map { "- clientId: $_\n  clientSecret: secret-$_\n" }
                          @ids);
}


sub lets_in {
    my ($t, $id) = @_;
    my $ws = $t->login(auth => 'credentials', client => $id,
                       secret => "secret-$id");
    my $ok = $ws->{reply}{ok};

    $ws->close();

    return $ok;
}

# True when each worker was asked, and all let it in (or none does).  The
# sockets have to be "reuseport", or an idle worker may take all log-ins.

sub all_know {
    my ($t, $id, $want) = @_;
    my $n = 4 * $t->{workers};

    return wait_for {
        my $from = length $t->log();
        my $in = grep { lets_in($t, $id) } 1 .. $n;
        return 0 if $in != ($want ? $n : 0);

        my %asked = map { $_ => 1 } substr($t->log(), $from)
                                    =~ /^\S+ \S+ \[\w+\] (\d+)#/mg;
        return !grep { !$asked{$_} } $t->workers();
    } 10, "$id is " . ($want ? 'let in' : 'kept out');
}

sub count {
    my ($t, $regex) = @_;
    return scalar(() = $t->log() =~ /$regex/g);
}


# The time that one worker may take, with some allowance for a busy machine.

my $SECOND = $ENV{INLETS_VALGRIND}
             || ($ENV{INLETS_BUILD} || '') =~ /asan/ ? 4 : 2;


my %test = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;
my $links = Inlets::Test->new(workers => 2);
my $user = Inlets::Test->new(workers => 2);
my $hook = Inlets::Test->new(workers => 4);


for my $workers (1, 4) {
    my $t = $test{$workers};

    $t->file('server.yml', yaml('alice'));
    $t->edge(domain => '', token => 'inlets_config server.yml;',
             tcp_ports => 0, listen => $listen,
             http => 'inlets_auth_attempts 0;',
             events => 'accept_mutex off;')->run();

    ok(all_know($t, 'alice', 1), "$workers workers: alice is let in");

    my $n = 0;

    for my $how (sort keys %write) {
        my $id = 'id' . ++$n;
        my $from = time();

        $t->mark();
        $write{$how}->($t, yaml('alice', $id));

        ok($t->wait_log(qr/settings file ".*" read again, clients: 2/, 5),
           "$workers workers: written $how: read again");
        cmp_ok(time() - $from, '<', $SECOND, 'within a second');
        ok(all_know($t, $id, 1), 'all workers let the new client in');
        is(count($t, qr/settings file ".*" read again/), $n, 'told once');
    }

    # one that is removed

    $write{'by rename'}->($t, yaml('alice'));
    ok(all_know($t, 'id1', 0), 'a client that is removed is kept out');
    ok(all_know($t, 'alice', 1), 'the other one is not');

    # a bad one: the old settings stay, one line with all errors

    my $ws = $t->login(secret => 'shared', name => 'runs');
    ok($ws->{reply}{ok}, 'a tunnel runs');

    $t->mark();
    $t->file('server.yml', yaml('bob') . "tokn: secret\nport: x\n");
    ok($t->wait_log(qr/settings file ".*" rejected, the old settings stay in/,
                    5), 'a bad file is rejected');
    sleep 1;

    my @lines = $t->log() =~ /^(.*settings file ".*" rejected.*)$/mg;

    is(scalar @lines, 1, 'one line over all workers');
    like($lines[0], qr/\[error\].*server\.yml:6: unknown key "tokn", did you mean "token"\?; .*server\.yml:7: port: expected a whole number, 1 to 65535, found "x"/,
         'with all its errors');
    ok(all_know($t, 'alice', 1), 'the old settings are in force');
    ok(all_know($t, 'bob', 0), 'the new ones are not');

    # the same content again is not told again

    $write{'by rename'}->($t, yaml('bob') . "tokn: secret\nport: x\n");
    sleep 1.5;
    is(count($t, qr/rejected/), 1, 'the same again is not told');

    # and the good content that is in force: it is told that all is well

    $t->mark();
    $write{'by rename'}->($t, yaml('alice'));
    ok($t->wait_log(qr/read again, clients: 1/, 5), 'recovered');

    my $before = count($t, qr/read again/);

    utime undef, undef, $t->dir() . '/server.yml';
    sleep 1.2;
    is(count($t, qr/read again/), $before, 'a touched file is not told');

    # missing

    unlink $t->dir() . '/server.yml';
    ok($t->wait_log(qr/rejected.*the file can't be opened \(2: No such/, 5),
       'a missing file is told');
    sleep 1;
    is(count($t, qr/can't be opened/), 1, 'once');
    ok(all_know($t, 'alice', 1), 'the old settings stay in force');

    $t->mark();
    $t->file('server.yml', yaml('carol'));
    ok($t->wait_log(qr/read again, clients: 1/, 5), 'it comes back');
    ok(all_know($t, 'carol', 1), 'and is in force');

    unlink $t->dir() . '/server.yml';
    ok(wait_for { count($t, qr/can't be opened/) == 2 } 5, 'missing again')
        or diag(count($t, qr/can't be opened/));
    sleep 1;
    is(count($t, qr/can't be opened/), 2, 'is told once more');

    # half of a file is not taken for the whole: written in pieces

    my $text = yaml('carol', map { "many-$_" } 1 .. 300);

    $t->mark();
    open my $fh, '>', $t->dir() . '/server.yml' or die;
    $fh->autoflush(1);

    for (my $at = 0; $at < length $text; $at += length($text) / 8) {
        print $fh substr($text, int $at, int(length($text) / 8) + 1);
        sleep 0.1;
    }

    close $fh;
    ok($t->wait_log(qr/read again/, 5), 'written slowly');

    # (a piece may be repeated, as the pieces overlap)

    $t->file('server.yml', $text);
    ok(all_know($t, 'many-300', 1), 'all of it is in force');

    # what needs nginx is told

    $t->mark();
    $t->file('server.yml', yaml('carol') =~ s/example\.com/example.org/r
                           . "port: 99\n");
    ok($t->wait_log(qr/"domain" in settings file ".*" has changed, this needs a reload/, 5),
       'a changed domain needs a reload');
    ok($t->wait_log(qr/"port" in settings file ".*" has changed, this needs another "listen" and a reload/, 5),
       'and so does a port');

    my $host = $t->login(secret => 'shared', name => 'x');
    like($host->{reply}{url}, qr{//x\.example\.com}, 'until then it stays');
    $host->close();

    $ws->event('ping');
    ok($ws->wait_event('pong', 5), 'the tunnel has gone on all the time');

    # nginx -s reload reads it as well

    $t->reload();
    $host = $t->login(secret => 'shared', name => 'x');
    like($host->{reply}{url}, qr{//x\.example\.org}, 'and then is in force');
    $host->close();

    # and goes on watching, in the new workers as well

    $t->mark();
    $t->file('server.yml', yaml('dave'));
    ok(all_know($t, 'dave', 1), 'the new workers see changes');

    # and so does a worker in place of one that died

    my ($victim) = $t->workers();
    my $lines = count($t, qr/read again/);

    kill 'KILL', $victim;
    ok(wait_for { my @now = $t->workers();
                  @now == $workers && !grep { $_ == $victim } @now } 5,
       'another worker');
    ok(!grep({ !lets_in($t, 'dave') } 1 .. 4 * $workers),
       'has the settings that are in force');
    is(count($t, qr/read again/), $lines, 'and does not tell of them');

    # unless the file is bad by then: it says that it has older ones

    if ($workers > 1) {
        my ($victim) = $t->workers();

        $t->mark();
        $t->file('server.yml', yaml('dave') . "tokn: x\n");
        ok($t->wait_log(qr/rejected/, 5), 'a bad file');
        sleep 0.7;
        unlike($t->log(), qr/has never seen/, 'all have the same settings');

        kill 'KILL', $victim;
        ok($t->wait_log(qr/\[error\].*worker process has never seen the settings that others took from ".*", older ones are in force in it/, 5),
           'a worker that is started then has others, and tells');
        $t->allow_log(qr/worker process $victim exited on signal 9/);

        $t->file('server.yml', yaml('dave'));
        ok(all_know($t, 'dave', 1), 'until it can be read');
        ok(all_know($t, 'carol', 0), 'by all');
    }

    # while a bad file leaves the running nginx as it is

    $t->file('server.yml', "tokn: x\n");
    $t->mark();
    kill 'HUP', $t->master();
    ok($t->wait_log(qr/\[emerg\].*server\.yml:1: unknown key "tokn"/, 5),
       'a bad file fails the reload');
    ok(lets_in($t, 'dave'), 'which changes nothing');

    $t->allow_log(qr/\[emerg\].*unknown key "tokn"/,
                  qr/worker process $victim exited on signal 9/);
    $ws->close();
    $t->finish();
}


# Folders that are replaced as a whole: a link in a folder, to a link to a
# folder, which is replaced by rename.

{
    my $t = $links;
    my $dir = $t->dir();

    for my $n (1, 2) {
        mkdir "$dir/v$n" or die;
        $t->file("v$n/server.yml", yaml("v$n"));
        $t->file("v$n/token", "token-$n\n");
    }

    symlink 'v1', "$dir/..data" or die;
    symlink '..data/server.yml', "$dir/server.yml" or die;

    $t->edge(domain => '', token => 'inlets_config server.yml;',
             tcp_ports => 0, listen => $listen,
             http => 'inlets_auth_attempts 0;')->run();
    ok(all_know($t, 'v1', 1), 'through two links');

    symlink 'v2', "$dir/..data.new" or die;
    rename "$dir/..data.new", "$dir/..data" or die;

    ok(all_know($t, 'v2', 1), 'another folder is seen');
    ok(all_know($t, 'v1', 0), 'and the first one left');

    # secrets in other files are watched, too

    $t->file('token', "first\n");
    $t->file('v2/server.yml', "domain: example.com\ntokenFile: token\n");

    ok(wait_for { $t->login(secret => 'first')->{reply}{ok} } 5,
       'a token in a file');

    $t->file('token', "second\n");
    ok(wait_for { $t->login(secret => 'second')->{reply}{ok}
                  && !$t->login(secret => 'first')->{reply}{ok} } 5,
       'is changed there alone');

    unlink "$dir/token";
    ok($t->wait_log(qr/server\.yml:2: tokenFile: ".*token" can't be opened/,
                    5), 'a missing one is told');
    ok($t->login(secret => 'second')->{reply}{ok}, 'and stays in force');

    $t->mark();
    $t->file('token', "third\n");
    ok($t->wait_log(qr/read again/, 5), 'it comes back');
    ok(wait_for { $t->login(secret => 'third')->{reply}{ok} } 5,
       'and is in force');

    unlike($t->log(), qr/token-1|second|third/, 'no secret in the log');

    $t->finish();
}


# One notification, whatever the number of workers.

{
    my $t = $hook;
    my $heard = $t->dir() . '/heard';

    my $receiver = $t->service(sub {
        my ($socket) = @_;
        my $request = $socket->read_request_head(5) or return;
        my $body = $socket->read_exact($request->{headers}{'content-length'});

        open my $fh, '>>', $heard or die;
        syswrite $fh, "$body\n";
        close $fh;

        $socket->send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        $socket->close();
    });

    my $notify = "notification:\n  provider: webhook\n"
                 . '  url: http://127.0.0.1:' . $receiver->port() . "/x\n";
    my $heard_of = sub {
        my ($event) = @_;
        return scalar(() = $t->read_file('heard') =~ /"event":"$event"/g);
    };

    $t->file('server.yml', yaml('alice') . $notify);
    $t->edge(domain => '', token => 'inlets_config server.yml;',
             tcp_ports => 0, listen => $listen,
             http => 'inlets_auth_attempts 0;')->run();

    $t->file('server.yml', yaml('alice', 'bob') . $notify);
    ok(wait_for { $heard_of->('settings_reloaded') } 10, 'told of a reload');

    $t->file('server.yml', "tokn: topsecret\n");
    ok(wait_for { $heard_of->('settings_rejected') } 10, 'told of bad settings');
    like($t->read_file('heard'), qr/unknown key \\?"tokn/, 'and why');

    sleep 1.5;

    is($heard_of->('settings_reloaded'), 1, 'once');
    is($heard_of->('settings_rejected'), 1, 'once');
    unlike($t->read_file('heard'), qr/secret/, 'no secrets are told');

    $t->finish();
}


# Workers that may not read what the master could.

SKIP: {
    my $t = $user;

    skip 'needs root', 4 if $> != 0;

    $t->file('server.yml', yaml('alice'));
    chmod 0600, $t->dir() . '/server.yml';
    $t->edge(domain => '', token => 'inlets_config server.yml;',
             tcp_ports => 0, listen => $listen,
             http => 'inlets_auth_attempts 0;',
             main => 'user nobody nogroup;')->run();

    ok($t->wait_log(qr/\[warn\].*worker processes can't read settings file ".*": a change will only be seen by a reload/, 5),
       'workers that may not read the file are warned of');
    ok(all_know($t, 'alice', 1), 'what the master has read is in force');

    $t->file('server.yml', yaml('bob'));
    ok($t->wait_log(qr/rejected.*the file can't be read by the user that this process runs as \(13: /, 5),
       'a change that can not be read is told');

    sleep 1;
    is(count($t, qr/can't (?:be )?read/), 2, 'once each');

    $t->mark();
    chmod 0644, $t->dir() . '/server.yml';
    ok($t->wait_log(qr/read again/, 5), 'and seen when it can');

    $t->reload();
    ok(all_know($t, 'bob', 1), 'after a reload as well');
}

$user->finish();
