# A tunnel's own rules for its visitors: sent by the client, enforced by the
# edge for every request, by every worker.

use strict;
use warnings;

use MIME::Base64;
use Test::More;

use Inlets::Test;

sub basic { 'Basic ' . encode_base64($_[0], '') }

sub refused {
    my ($t, $name, $message, %opt) = @_;
    my $ws = $t->login(%opt);

    is($ws->{reply}{message}, $message, $name);
}


my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 2, 4;

for my $workers (1, 4) {
    my $t = $t{$workers};
    my $web = $t->service('http');

    $t->edge(
        http => 'inlets_wait 1s; real_ip_header X-Visitor;
                 set_real_ip_from 127.0.0.1;
                 proxy_cache_path %%TESTDIR%%/cache keys_zone=c:1m;',
        server => 'location /any/ {
                       satisfy any;
                       allow 198.51.100.0/24;
                       deny all;
                       inlets_tunnel edge;
                   }
                   location /cached/ {
                       rewrite ^ / break;
                       inlets_tunnel edge;
                       proxy_buffering on;
                       proxy_cache c;
                       proxy_cache_valid 200 1h;
                       add_header X-Cache $upstream_cache_status always;
                   }
                   location /own/ {
                       inlets_tunnel edge;
                       proxy_set_header Authorization "of the edge";
                   }
                   location /sub/ {
                       auth_request /ask;
                       alias %%TESTDIR%%/;
                   }
                   location /ask {
                       internal;
                       rewrite ^ / break;
                       inlets_tunnel edge;
                   }',
    )->run();

    my $try = sub {
        my ($host, $path, $user, @headers) = @_;

        push @headers, authorization => basic($user) if defined $user;

        return $t->get($path, host => "$host.example.com",
                       headers => \@headers);
    };

    # basic auth

    my $client = $t->tunnel('http', $web->upstream, '-s', 'basic',
                            '--basic-auth', 'ann:secret',
                            '--basic-auth', 'bob:two:colons');

    my $r = $try->('basic', '/');
    is($r->{status}, 401, "$workers workers: no password");
    like($r->{body}, qr/This tunnel asks for a user name/, 'page');
    is_deeply($r->{headers}{'www-authenticate'}, 'Basic realm="inlets"',
              'WWW-Authenticate');
    is($web->requests, 0, 'the local service saw nothing');

    for (1 .. $workers * 2) {
        is($try->('basic', '/', 'ann:secret')->{status}, 200, 'a password');
        is($try->('basic', '/', 'ann:wrong')->{status}, 401, 'a wrong one');
    }

    is($try->('basic', '/', 'bob:two:colons')->{status}, 200, 'the other');

    for my $wrong ('ann', 'ann:', ':secret', 'ann:secret ', 'ann:secre',
                   'bob:two', 'secret:ann', 'ANN:secret', "ann:secret\0",
                   'a' x 600 . ':b', '')
    {
        is($try->('basic', '/', $wrong)->{status}, 401, 'refused');
    }

    for my $header ('Bearer secret', 'Basic', 'Basic !!!', 'ann:secret', '') {
        is($try->('basic', '/', undef, authorization => $header)->{status},
           401, "refused: '$header'");
    }

    is($t->request('POST', '/post', host => 'basic.example.com', body => 'x',
                   headers => [ authorization => basic('ann:x') ])->{status},
       401, 'POST');

    # the credentials checked and the header that is read are the same

    for my $pair ([ 'ann:secret', 'ann:x' ], [ 'ann:x', 'ann:secret' ],
                  [ 'ann:secret', 'ann:secret' ])
    {
        is($try->('basic', '/', undef, map { (authorization => basic($_)) }
                                           @$pair)->{status},
           400, 'two Authorization headers');
    }

    unlike($try->('basic', '/echo', 'ann:secret')->{body},
           qr/authorization/i, 'the local service does not see it');
    unlike($try->('basic', '/own/../echo', 'ann:secret')->{body},
           qr/authorization/i, 'nor by another path');

    # a subrequest has no access phase

    is($try->('basic', '/sub/nginx.conf')->{status}, 500,
       'subrequest without a password');
    is($try->('basic', '/sub/nginx.conf', 'ann:secret')->{status}, 200,
       'subrequest with one');
    $t->allow_log(qr/auth request unexpected status/);

    # passed on

    $t->tunnel('http', $web->upstream, '-s', 'pass', '--basic-auth', 'a:b',
               '--pass-auth');

    like($try->('pass', '/echo', 'a:b')->{body}, qr/\Q${\basic('a:b')}\E/,
         '--pass-auth');
    is($try->('pass', '/echo', 'a:c')->{status}, 401, 'still checked');

    # without rules nothing is taken away

    $t->tunnel('http', $web->upstream, '-s', 'free');
    like($try->('free', '/echo', 'x:y')->{body}, qr/\Q${\basic('x:y')}\E/,
         'no rules: the header is passed');
    is($try->('free', '/')->{status}, 200, 'no rules');

    # the cache

    $try->('free', '/cached/');
    is($try->('free', '/cached/')->{headers}{'x-cache'}, 'HIT',
       'no rules: from the cache');

    for (1, 2) {
        $r = $try->('basic', '/cached/', 'ann:secret');
        is($r->{status}, 200, 'let in to what may be cached');
        is($r->{headers}{'x-cache'}, 'MISS', 'but is not');
        is($try->('basic', '/cached/')->{status}, 401, 'not without');
    }

    # a file

    $t->file('users', "one:1\r\n\ntwo:2\n");
    $t->tunnel('http', $web->upstream, '-s', 'file', '--basic-auth-file',
               $t->dir . '/users', '--basic-auth', 'three:3');

    is($try->('file', '/', "$_")->{status}, 200, "file: $_")
        for qw(one:1 two:2 three:3);
    is($try->('file', '/', 'four:4')->{status}, 401, 'file: no other');

    # addresses

    $t->tunnel('http', $web->upstream, '-s', 'ip',
               '--allow-ip', '10.0.0.0/8,2001:db8::/32',
               '--allow-ip', '192.0.2.7', '--deny-ip', '10.9.0.0/16');

    my %expected = ('10.1.2.3' => 200, '10.9.2.3' => 403, '192.0.2.7' => 200,
                    '192.0.2.8' => 403, '2001:db8::5' => 200,
                    '2001:db9::5' => 403, '::ffff:10.1.2.3' => 200);

    for my $addr (sort keys %expected) {
        is($try->('ip', '/', undef, 'x-visitor' => $addr)->{status},
           $expected{$addr}, "$addr: $expected{$addr}");
    }

    $r = $try->('ip', '/');
    is($r->{status}, 403, 'without the header: 127.0.0.1');
    like($r->{body}, qr/You may not visit this tunnel/, 'page');

    $t->tunnel('http', $web->upstream, '-s', 'deny', '--deny-ip',
               '127.0.0.0/8', '--basic-auth', 'a:b');

    is($try->('deny', '/', 'a:b')->{status}, 403, 'only --deny-ip');
    is($try->('deny', '/', 'a:b', 'x-visitor' => '192.0.2.1')->{status}, 200,
       'another address');
    is($try->('deny', '/', undef, 'x-visitor' => '192.0.2.1')->{status}, 401,
       'and the password');

    # the location's own rules: satisfied in addition, or instead

    is($try->('basic', '/any/', undef, 'x-visitor' => '198.51.100.1')->{status},
       404, 'satisfy any: by the location');
    is($try->('basic', '/any/', 'ann:secret')->{status}, 403,
       'satisfy any: the rules of a client open nothing');

    # TCP

  SKIP: {
        skip 'no stream', 3 if !Inlets::Test::nginx_features()->{stream};

        my $echo = $t->service('echo');
        my $tcp = $t->tunnel('tcp', $echo->upstream, '--deny-ip', '127.0.0.1');
        my $s = $t->connect(port => $tcp->port);

        $s->send('hello');
        is($s->read_all(5), '', 'TCP: closed');
        is($echo->connections, 0, 'TCP: the local service saw nothing');

        $tcp = $t->tunnel('tcp', $echo->upstream, '--allow-ip', '127.0.0.1');
        $s = $t->connect(port => $tcp->port);
        $s->send('hello');
        is($s->read_exact(5), 'hello', 'TCP: allowed');
    }

    # rules stay while the client is away, and are those it comes back with

    $client->stop();
    is($try->('basic', '/')->{status}, 401, 'client away: still refused');
    is($try->('basic', '/', 'ann:secret')->{status}, 503, 'and away for ann');

    my $visitor = $t->connect();
    $visitor->send_request('GET', '/', host => 'basic.example.com',
                           headers => [ authorization => basic('ann:secret') ]);
    $t->tunnel('http', $web->upstream, '-s', 'basic', '--basic-auth', 'new:x');
    is($visitor->read_response()->{status}, 503,
       'a visitor who waited meets other rules');
    is($try->('basic', '/', 'ann:secret')->{status}, 401, 'old password');
    is($try->('basic', '/', 'new:x')->{status}, 200, 'new password');

    # after a reload

    $t->reload();
    is($try->('basic', '/', 'ann:secret')->{status}, 401, 'reload: refused');
    is($try->('basic', '/', 'new:x')->{status}, 200, 'reload: let in');

    unlike($t->read_file('error.log'), qr/secret|ann:/, 'nothing in the log');

    $t->finish();
}


# What a client sends.

my $t = $t{2};

$t->edge()->run();

my $basic = [ { username => 'a', password => 'b' } ];

for my $wrong ([], 1, 'x', { basic => [] }, { basic => {} },
               { basic => [ 'a:b' ] }, { basic => [ {} ] },
               { basic => [ { username => '', password => 'x' } ] },
               { basic => [ { username => 'a:b', password => 'x' } ] },
               { basic => [ { username => 'a', password => 'x' x 511 } ] },
               { basic => [ { username => 'a', password => "\n" } ] },
               { basic => [ map { @$basic } 1 .. 17 ] },
               { allow => [] }, { allow => [ '10.0.0.0/33' ] },
               { allow => [ 1 ] }, { allow => '10.0.0.0/8' },
               { deny => [ 'example.com' ] },
               { deny => [ ('10.0.0.1') x 65 ] },
               { allow => [ '::1' ], unknown => 1 },
               { basic => $basic, passAuth => 'yes' })
{
    refused($t, 'refused', 'invalid access rules',
            fields => { access => $wrong });
}

refused($t, 'no password for TCP',
        'user names and passwords are only for http tunnels',
        type => 'tcp', fields => { access => { basic => $basic } });

my $m = $t->login(fields => { access => { allow => [ ('::1') x 64 ],
                                          deny => [ ('::2') x 64 ],
                                          basic => [ (@$basic) x 16 ] } });
ok($m->{reply}{ok}, 'as many as may be');
ok($m->{reply}{config}{access}, 'the edge says that there are rules');

$m = $t->login(fields => { access => {} });
ok($m->{reply}{ok} && !$m->{reply}{config}{access}, 'none');


# What the command line takes.

sub wrong {
    my ($name, $said, @args) = @_;
    my $c = $t->client({ token => 1 }, 'client', '-r', '127.0.0.1:1', @args);

    isnt($c->wait_exit(10), 0, "$name: refused");
    like($c->output, $said, "$name: said");
}

wrong('no colon', qr/must be user:password/, '--basic-auth', 'x', 'http', 80);
wrong('no user', qr/must be user:password/, '--basic-auth', ':x', 'http', 80);
wrong('TCP', qr/only for http/, '--basic-auth', 'x:y', 'tcp', 80);
wrong('range', qr/not "10.0.0.0\/33"/, '--allow-ip', '10.0.0.0/33', 'http', 80);
wrong('name', qr/not "localhost"/, '--deny-ip', 'localhost', 'http', 80);
wrong('empty range', qr/empty/, '--deny-ip', ',', 'http', 80);
wrong('no file', qr/cannot read basic auth file/, '--basic-auth-file',
      $t->dir . '/none', 'http', 80);
$t->file('empty', "\n");
wrong('empty file', qr/cannot use basic auth file/, '--basic-auth-file',
      $t->dir . '/empty', 'http', 80);

$t->finish();
