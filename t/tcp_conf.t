use strict;
use warnings;

# The directives of the stream module, and what "nginx -t" says of wrong ones.

use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new();


sub conf {
    my ($stream, $http) = @_;
    $http = 'inlets_zone edge 1m;' if !defined $http;
    $http = "http {\n%%HTTP%%\n$http\n}" if $http ne 'none';
    $http = '' if $http eq 'none';

    return <<"END";
%%GLOBALS%%

events {
}

$http

stream {
    $stream
}
END
}


sub good {
    my ($name, @conf) = @_;
    my ($ok, $said) = $t->test_conf(conf(@conf));
    ok($ok, $name) or diag($said);
}


sub bad {
    my ($name, $regex, @conf) = @_;
    my ($ok, $said) = $t->test_conf(conf(@conf));
    ok(!$ok, $name);
    like($said, $regex, 'and it says why');
}


my $server = 'server { listen 127.0.0.1:%%PORT_a%%; inlets_tunnel edge; }';

good('a server', $server);
good('listen after it', 'server { inlets_tunnel edge; '
     . 'listen 127.0.0.1:%%PORT_a%%; }');
good('a range, and IPv6', 'server { listen 127.0.0.1:%%RANGE_b_3%%; '
     . 'listen [::1]:%%RANGE_b_3%%; inlets_tunnel edge; }');
good('inlets_wait and inlets_timeout', 'inlets_wait 1m; server { '
     . 'listen 127.0.0.1:%%PORT_a%%; inlets_tunnel edge; '
     . 'inlets_wait 0; inlets_timeout 1h; }');
good('another server without a tunnel', "$server server { "
     . 'listen 127.0.0.1:%%PORT_c%%; return hi; }');
good('a UDP server without a tunnel', "$server server { "
     . 'listen 127.0.0.1:%%PORT_c%% udp; return hi; }');

my ($ok, $said) = $t->test_conf(<<"END");
%%GLOBALS%%

events {
}

stream {
    $server
}

http {
    %%HTTP%%
    inlets_zone edge 1m;
}
END

ok($ok, 'stream{} before http{}') or diag($said);

bad('a zone that is not declared',
    qr/zone "other" is not declared, add "inlets_zone other 8m;" to http\{\}/,
    'server { listen 127.0.0.1:%%PORT_a%%; inlets_tunnel other; }');

($ok, $said) = $t->test_conf(<<"END");
%%GLOBALS%%

events {
}

stream {
    $server
}

http {
    %%HTTP%%
}
END

ok(!$ok, 'nor after stream{}');
like($said, qr/zone "edge"/, 'and it says which');

bad('no http{} at all', qr/zone "edge"/, $server, 'none');

bad('a UDP port', qr/inlets_tunnel.*udp.*use "listen 20000;"/,
    'server { listen 127.0.0.1:%%PORT_a%% udp; inlets_tunnel edge; }');
bad('a Unix socket', qr/inlets_tunnel.*unix:.*use "listen 20000;"/,
    'server { listen unix:%%TESTDIR%%/s.sock; inlets_tunnel edge; }');
bad('twice', qr/"inlets_tunnel" directive is duplicate/,
    'server { listen 127.0.0.1:%%PORT_a%%; inlets_tunnel edge; '
    . 'inlets_tunnel edge; }');
bad('after return', qr/"inlets_tunnel" directive conflicts with/,
    'server { listen 127.0.0.1:%%PORT_a%%; return hi; inlets_tunnel edge; }');
bad('before return', qr/"inlets_tunnel" conflicts with .*proxy_pass or return/,
    'server { listen 127.0.0.1:%%PORT_a%%; inlets_tunnel edge; return hi; }');
bad('in stream{}', qr/"inlets_tunnel" directive is not allowed here/,
    "inlets_tunnel edge; $server");
bad('no argument', qr/invalid number of arguments in "inlets_tunnel"/,
    'server { listen 127.0.0.1:%%PORT_a%%; inlets_tunnel; }');
bad('a wrong time', qr/invalid time "soon", write it as "inlets_wait 30s"/,
    'server { listen 127.0.0.1:%%PORT_a%%; inlets_tunnel edge; '
    . 'inlets_wait soon; }');
bad('a wrong time', qr/invalid time "never", write it as "inlets_timeout 30s"/,
    'server { listen 127.0.0.1:%%PORT_a%%; inlets_tunnel edge; '
    . 'inlets_timeout never; }');

$t->finish();
