# A full disk: what can't be written to it is lost, and nothing else.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use Inlets::Test;


# nginx in a mount namespace of its own, where full/ is a small disk.

my $t = Inlets::Test->new(workers => 2);
my $full = "$t->{dir}/full";

mkdir $full;

my $disk = -e '/dev/full' && system("unshare -m sh -c 'mount -t tmpfs "
           . "-o size=64k,mode=0777 none $full' 2>/dev/null") == 0;

if ($disk) {
    my $nginx = $Inlets::Test::NGINX;

    $Inlets::Test::NGINX = $t->file('nginx.sh', <<"END");
#!/bin/sh
mount -t tmpfs -o size=64k,mode=0777 none $full
exec $nginx "\$\@"
END
    chmod 0755, $Inlets::Test::NGINX;

    $Inlets::Test::NGINX = $t->file('own.sh', <<"END");
#!/bin/sh
exec unshare -m $t->{dir}/nginx.sh "\$\@"
END
    chmod 0755, $Inlets::Test::NGINX;
}

if (!$disk) {
    $t->{done} = 1;
    plan skip_all => 'no /dev/full, or no right to mount';
}


# All logs go to a full device, and another one for this test.

$t->edge(
    main => 'error_log /dev/full debug;',
    http => 'access_log /dev/full;',
    tunnel => 'client_max_body_size 0;',
    stream => 'log_format x "$status"; access_log /dev/full x;',
    server => <<"END",
    location /buffered/ {
        inlets_tunnel edge;
        proxy_buffering on;
        proxy_buffers 4 8k;
        proxy_buffer_size 8k;
        proxy_busy_buffers_size 8k;
        proxy_temp_path $full/answers;
        client_max_body_size 0;
    }

    location /body/ {
        inlets_tunnel edge;
        proxy_request_buffering on;
        client_body_buffer_size 8k;
        client_body_temp_path $full/bodies;
        client_max_body_size 0;
    }
END
)->run();

$t->allow_log(qr/No space left on device/);

my $echo = $t->service('echo');
my $web = $t->service(sub {
    my ($socket) = @_;
    my $request = $socket->read_request_head() || return;
    my $length = $request->{headers}{'content-length'};
    my $n = $request->{uri} eq '/buffered/' ? 4_000_000 : 5;

    $socket->read_exact($length) if $length;
    $socket->send("HTTP/1.1 200 OK\r\nContent-Length: $n\r\n"
                  . "Connection: close\r\n\r\n" . 'x' x $n, 60);
    $socket->shutdown();
});

my $http = $t->tunnel('http', $web->upstream, '-s', 'demo');
my $tcp = $t->tunnel('tcp', $echo->upstream);


sub works {
    my ($when) = @_;
    my @good = grep { $t->get('/', host => 'demo.example.com')->{body}
                      eq 'xxxxx' } 1 .. 10;
    is(scalar(@good), 10, "$when: HTTP");

    my $visitor = $t->connect(port => $tcp->port);
    $visitor->send('hello');
    is($visitor->read_exact(5), 'hello', "$when: TCP");
    $visitor->close();
}


works('full logs');

my $held = $t->connect(port => $tcp->port);
$held->send('before');
is($held->read_exact(6), 'before', 'a stream');

# An answer that nginx is told to keep on the disk for a slow visitor.

my $slow = $t->connect(rcvbuf => 4096);
$slow->send_request('GET', '/buffered/', host => 'demo.example.com');
ok($t->wait_log(qr/answers\S* failed \(28: No space left/, 20),
   'an answer that does not fit on the disk');
works('full disk');

my $answer = $slow->read_response();
cmp_ok(length($answer->{body}), '<', 4_000_000, 'is cut short');
ok(!$answer->{complete}, 'and the visitor can tell');
$slow->close();

# A body, likewise.

my $r = $t->request('POST', '/body/', host => 'demo.example.com',
                    body => 'x' x 1_000_000);
is($r->{status}, 500, 'a body that does not fit on the disk');

$r = $t->request('POST', '/', host => 'demo.example.com',
                 body => 'x' x 1_000_000);
is($r->{body}, 'xxxxx', 'where none is needed it is taken');

works('after all');

$held->send('after');
is($held->read_exact(5), 'after', 'the stream goes on');

for my $client ($http, $tcp) {
    my @up = $client->output =~ /^Forwarding/mg;
    is(scalar(@up), 1, 'the client saw nothing of it');
}

$t->finish();
