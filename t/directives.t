use strict;
use warnings;

# The directives of the HTTP module: right use, and what nginx says of wrong
# use.  Those of the stream module are in tcp_conf.t.

use Inlets::Blocks;

plan 'no_plan';

our $Dir = $ENV{TEST_NGINX_SERVROOT} . '-files';

mkdir $Dir;

for my $file ([ 'token', "from-a-file\n" ], [ 'empty', "\n" ],
              [ 'long', 'x' x 2000 ])
{
    open my $fh, '>', "$Dir/$file->[0]" or die $!;
    print $fh $file->[1];
    close $fh;
}

$ENV{TEST_NGINX_FILES} = $Dir;

no_long_string();
no_shuffle();
run_tests();

__DATA__

=== inlets_zone: a tunnel of it, no such name
--- config
    location / {
        inlets_tunnel edge;
    }
--- request
GET /
--- error_code: 404
--- response_headers
Content-Type: text/plain; charset=utf-8
--- response_body_like: ^404 Not Found: There is no tunnel of this name\.\r\n$



=== inlets_zone: no size
--- http_config
    inlets_zone edge;
--- config
--- must_die
--- error_log
invalid number of arguments in "inlets_zone" directive



=== inlets_zone: a bad size
--- http_config
    inlets_zone edge big;
--- config
--- must_die
--- error_log
invalid size "big" of zone "edge", write "inlets_zone edge 8m"



=== inlets_zone: too small
--- http_config
    inlets_zone edge 4k;
--- config
--- must_die
--- error_log
zone "edge" is too small, it needs at least 65536 bytes



=== inlets_zone: the smallest one
--- http_config
    inlets_zone edge 64k;
--- config
    location / {
        inlets_tunnel edge;
    }
--- request
GET /
--- error_code: 404



=== inlets_zone: twice
--- http_config
    inlets_zone edge 1m;
    inlets_zone edge 1m;
--- config
--- must_die
--- error_log
inlets zone "edge" is declared twice



=== inlets_zone: an empty name
--- http_config
    inlets_zone "" 1m;
--- config
--- must_die
--- error_log
the name of an inlets zone is empty



=== inlets_zone: two of them
--- http_config
    inlets_zone edge 1m;
    inlets_zone other 1m;
--- config
    location / {
        inlets_tunnel other;
    }
    location /edge {
        inlets_tunnel edge;
    }
--- request
GET /edge
--- error_code: 404



=== inlets_zone: in server{}
--- http_config
    inlets_zone edge 1m;
--- config
    inlets_zone other 1m;
--- must_die
--- error_log
"inlets_zone" directive is not allowed here



=== inlets_zone: its name belongs to another module
--- http_config
    limit_req_zone $uri zone=edge:1m rate=1r/s;
    inlets_zone edge 1m;
--- config
--- must_die
--- error_log
the shared memory zone "edge" is already declared for a different use



=== inlets_tunnel: a zone that is not declared
--- config
    location / {
        inlets_tunnel other;
    }
--- must_die
--- error_log
inlets zone "other" is not declared, add "inlets_zone other 8m;" to http{}



=== inlets_connect: a zone that is not declared
--- config
    location /_/ {
        inlets_connect other;
    }
--- must_die
--- error_log
inlets zone "other" is not declared, add "inlets_zone other 8m;" to http{}



=== inlets_zone: declared behind its use
--- http_config
    inlets_token secret;
    server {
        listen 127.0.0.1:$TEST_NGINX_SERVER_PORT;
        server_name first;
        location / {
            inlets_tunnel edge;
        }
    }
    inlets_zone edge 1m;
--- config
    location / {
        inlets_tunnel edge;
    }
--- request
GET /
--- error_code: 404



=== inlets_tunnel: no argument
--- config
    location / {
        inlets_tunnel;
    }
--- must_die
--- error_log
invalid number of arguments in "inlets_tunnel" directive



=== inlets_tunnel: twice
--- config
    location / {
        inlets_tunnel edge;
        inlets_tunnel edge;
    }
--- must_die
--- error_log
"inlets_tunnel" directive is duplicate



=== inlets_tunnel: in server{}
--- config
    inlets_tunnel edge;
--- must_die
--- error_log
"inlets_tunnel" directive is not allowed here



=== inlets_tunnel: after proxy_pass
--- config
    location / {
        proxy_pass http://127.0.0.1:1;
        inlets_tunnel edge;
    }
--- must_die
--- error_log
"inlets_tunnel" and "proxy_pass" can't be in one location, remove one of them



=== inlets_tunnel: before proxy_pass
--- config
    location / {
        inlets_tunnel edge;
        proxy_pass http://127.0.0.1:1;
    }
--- must_die
--- error_log
"proxy_pass" directive is duplicate



=== inlets_tunnel: together with inlets_connect
--- config
    location / {
        inlets_connect edge;
        inlets_tunnel edge;
    }
--- must_die
--- error_log
and another directive that answers requests can't be in one location, give each its own



=== inlets_connect: together with inlets_tunnel
--- config
    location / {
        inlets_tunnel edge;
        inlets_connect edge;
    }
--- must_die
--- error_log
and another directive that answers requests can't be in one location, give each its own



=== inlets_tunnel: before stub_status
--- config
    location / {
        inlets_tunnel edge;
        stub_status;
    }
--- must_die
--- error_log
"inlets_tunnel" and another directive that answers requests can't be in one location



=== inlets_connect: before proxy_pass
--- config
    location / {
        inlets_connect edge;
        proxy_pass http://127.0.0.1:1;
    }
--- must_die
--- error_log
"inlets_connect" and another directive that answers requests can't be in one location



=== inlets_tunnel: in if{} and limit_except{}
--- config
    location / {
        if ($arg_go) {
            inlets_tunnel edge;
        }
    }
    location /except {
        limit_except GET {
            inlets_tunnel edge;
        }
        return 204;
    }
--- request eval
["GET /?go=1", "PUT /except", "GET /except"]
--- error_code eval
[404, 404, 204]
--- response_body_like eval
["no tunnel of this name", "no tunnel of this name", ""]



=== inlets_tunnel: inherited by if{}
--- config
    location / {
        inlets_tunnel edge;
        if ($arg_go) {
            set $x 1;
        }
    }
--- request
GET /?go=1
--- error_code: 404
--- response_body_like: no tunnel of this name



=== inlets_tunnel: not inherited by a nested location
--- config
    location / {
        inlets_tunnel edge;
        location /inner {
        }
    }
--- request
GET /inner
--- error_code: 404
--- response_body_unlike: no tunnel of this name
--- error_log
No such file



=== inlets_tunnel: a named and a regex location
--- config
    location ~ ^/x(.*) {
        inlets_tunnel edge;
    }
    location / {
        try_files /none @tunnel;
    }
    location @tunnel {
        inlets_tunnel edge;
    }
--- request eval
["GET /x1", "GET /"]
--- error_code eval
[404, 404]
--- response_body_like eval
["no tunnel of this name", "no tunnel of this name"]



=== inlets_domain: a wildcard
--- http_config
    inlets_domain *.example.com;
--- config
--- must_die
--- error_log
invalid domain "*.example.com", write it as "inlets_domain example.com": no scheme, port or wildcard



=== inlets_domain: a port
--- http_config
    inlets_domain example.com:80;
--- config
--- must_die
--- error_log
invalid domain "example.com:80", write it as "inlets_domain example.com"



=== inlets_domain: a URL
--- http_config
    inlets_domain http://example.com;
--- config
--- must_die
--- error_log
invalid domain "http://example.com", write it as



=== inlets_domain: empty
--- http_config
    inlets_domain "";
--- config
--- must_die
--- error_log
invalid domain "", write it as



=== inlets_domain: twice
--- http_config
    inlets_domain example.com;
    inlets_domain example.org;
--- config
--- must_die
--- error_log
"inlets_domain" directive is duplicate



=== inlets_domain: capitals and a dot at the end
--- http_config
    inlets_domain EXAMPLE.com.;
--- config
    location /_/ {
        inlets_connect edge;
    }
    location / {
        inlets_tunnel edge;
    }
--- request
GET /
--- error_code: 404



=== inlets_connect: nobody could log in
--- http_config
    inlets_zone edge 1m;
    # inlets_token
--- config
    location /_/ {
        inlets_connect edge;
    }
--- must_die
--- error_log eval
qr/no client could log in at "inlets_connect": add "inlets_token".*, or "inlets_public on" for tunnels without credentials/



=== inlets_connect: no domain
--- http_config
    inlets_zone edge 1m;
    # inlets_domain
--- config
    location /_/ {
        inlets_connect edge;
    }
--- request
GET /_/other
--- error_code: 404



=== inlets_connect: twice
--- config
    location /_/ {
        inlets_connect edge;
        inlets_connect edge;
    }
--- must_die
--- error_log
"inlets_connect" directive is duplicate



=== inlets_connect: with public tunnels only
--- http_config
    # inlets_token
    inlets_public on;
--- config
    location /_/ {
        inlets_connect edge;
    }
--- request
GET /_/other
--- error_code: 404



=== inlets_connect: not a handshake
--- config
    location /_/ {
        inlets_connect edge;
    }
--- request
GET /_/monitor
--- error_code: 400



=== inlets_token: several, and at several levels
--- http_config
    inlets_token one;
    inlets_token two;
--- config
    location /_/ {
        inlets_connect edge;
        inlets_token three;
    }
--- request
GET /_/other
--- error_code: 404



=== inlets_token: empty
--- http_config
    inlets_token "";
--- config
--- must_die
--- error_log
the token is empty, make one with "openssl rand -hex 16"



=== inlets_token: not in the log
--- http_config
    inlets_token my-own-secret extra;
--- config
--- must_die
--- error_log
invalid number of arguments in "inlets_token" directive
--- no_error_log
my-own-secret



=== inlets_token_file: a client logs in with it
--- http_config
    inlets_token_file $TEST_NGINX_FILES/token;
--- config
    location /_/ {
        inlets_connect edge;
    }
    location / {
        inlets_tunnel edge;
    }
--- client
-t from-a-file http -s demo
--- request
GET /
--- more_headers
Host: demo.example.com
--- response_body
it works



=== inlets_token_file: not there
--- http_config
    inlets_token_file /no/such/token;
--- config
--- must_die
--- error_log
open() "/no/such/token" failed



=== inlets_token_file: empty
--- http_config
    inlets_token_file $TEST_NGINX_FILES/empty;
--- config
--- must_die
--- error_log
the token is empty



=== inlets_token_file: too long
--- http_config
    inlets_token_file $TEST_NGINX_FILES/long;
--- config
--- must_die
--- error_log
files/long" can't be read, or is longer than 1023 bytes



=== inlets_token_file: a folder
--- http_config
    inlets_token_file /;
--- config
--- must_die
--- error_log
token file "/" can't be read



=== inlets_public: neither on nor off
--- http_config
    inlets_public yes;
--- config
--- must_die
--- error_log
invalid value "yes" in "inlets_public" directive, it must be "on" or "off"



=== inlets_public: twice
--- http_config
    inlets_public on;
    inlets_public on;
--- config
--- must_die
--- error_log
"inlets_public" directive is duplicate



=== inlets_url: what the client prints
--- config
    location /_/ {
        inlets_connect edge;
        inlets_url https://$inlets_url_host;
    }
    location / {
        inlets_tunnel edge;
    }
--- must_die
--- error_log
unknown "inlets_url_host" variable



=== inlets_url: twice
--- config
    inlets_url https://example.com;
    inlets_url https://example.com;
--- must_die
--- error_log
"inlets_url" directive is duplicate



=== inlets_wait: not a time
--- http_config
    inlets_wait soon;
--- config
--- must_die
--- error_log
invalid time "soon", write it as "inlets_wait 30s"



=== inlets_wait: off, in three levels
--- http_config
    inlets_wait 1m;
--- config
    inlets_wait 10s;
    location / {
        inlets_wait 0;
        inlets_tunnel edge;
    }
--- request
GET /
--- error_code: 404



=== inlets_wait: twice
--- config
    inlets_wait 1;
    inlets_wait 2;
--- must_die
--- error_log
"inlets_wait" directive is duplicate



=== inlets_remember: not a time
--- http_config
    inlets_remember long;
--- config
--- must_die
--- error_log
invalid time "long", write it as "inlets_remember 30s"



=== inlets_max_links: too few
--- http_config
    inlets_max_links 0;
--- config
--- must_die
--- error_log
value must be between 1 and



=== inlets_max_links: too many
--- http_config
    inlets_max_links 1000;
--- config
--- must_die
--- error_log
value must be between 1 and



=== inlets_max_links: not a number
--- http_config
    inlets_max_links some;
--- config
--- must_die
--- error_log
invalid number "some", write it as "inlets_max_links 8"



=== inlets_max_streams: too few
--- http_config
    inlets_max_streams 0;
--- config
--- must_die
--- error_log
value must be between 1 and



=== inlets_max_streams: too many
--- http_config
    inlets_max_streams 65537;
--- config
--- must_die
--- error_log
value must be between 1 and 65536



=== inlets_window: too small
--- http_config
    inlets_window 64k;
--- config
--- must_die
--- error_log
"inlets_window" must be from 256k to 64m



=== inlets_window: too large
--- http_config
    inlets_window 65m;
--- config
--- must_die
--- error_log
"inlets_window" must be from 256k to 64m



=== inlets_window: not a size
--- http_config
    inlets_window wide;
--- config
--- must_die
--- error_log
invalid size "wide", write it as "inlets_window 4m"



=== inlets_link_window: not a size
--- http_config
    inlets_link_window wide;
--- config
--- must_die
--- error_log
invalid size "wide", write it as "inlets_link_window 4m"



=== inlets_auth_timeout: none
--- http_config
    inlets_auth_timeout 0;
--- config
--- must_die
--- error_log
"inlets_auth_timeout" must be longer than 0, write it as "inlets_auth_timeout 30s"



=== inlets_heartbeat_interval: none
--- http_config
    inlets_heartbeat_interval 0;
--- config
--- must_die
--- error_log
"inlets_heartbeat_interval" must be longer than 0, write it as "inlets_heartbeat_interval 30s"



=== inlets_heartbeat_timeout: none
--- http_config
    inlets_heartbeat_timeout 0s;
--- config
--- must_die
--- error_log
"inlets_heartbeat_timeout" must be longer than 0, write it as "inlets_heartbeat_timeout 30s"



=== inlets_heartbeat_timeout: shorter than the interval
--- http_config
    inlets_heartbeat_timeout 5s;
--- config
--- must_die
--- error_log
"inlets_heartbeat_timeout" 5000ms must be longer than "inlets_heartbeat_interval" 15000ms



=== inlets_heartbeat_timeout: and at different levels
--- http_config
    inlets_heartbeat_timeout 20s;
--- config
    location /_/ {
        inlets_connect edge;
        inlets_heartbeat_interval 30s;
    }
--- must_die
--- error_log
"inlets_heartbeat_timeout" 20000ms must be longer than "inlets_heartbeat_interval" 30000ms



=== inlets_drain_timeout: not a time
--- http_config
    inlets_drain_timeout late;
--- config
--- must_die
--- error_log
invalid time "late", write it as "inlets_drain_timeout 30s"



=== all of them in location{}
--- config
    location /_/ {
        inlets_connect edge;
        inlets_domain example.net;
        inlets_token another;
        inlets_public on;
        inlets_url $scheme://$host;
        inlets_wait 2s;
        inlets_remember 1h;
        inlets_max_links 4;
        inlets_max_streams 100;
        inlets_window 1m;
        inlets_link_window 0;
        inlets_auth_timeout 5s;
        inlets_heartbeat_interval 10s;
        inlets_heartbeat_timeout 30s;
        inlets_drain_timeout 1m;
    }
    location / {
        inlets_tunnel edge;
    }
--- request
GET /
--- error_code: 404



=== all of them in server{}
--- config
    inlets_domain example.net;
    inlets_token another;
    inlets_public off;
    inlets_url $scheme://$host;
    inlets_wait 2s;
    inlets_remember 0;
    inlets_max_links 4;
    inlets_max_streams 100;
    inlets_window 64m;
    inlets_link_window 1024m;
    inlets_auth_timeout 5s;
    inlets_heartbeat_interval 10s;
    inlets_heartbeat_timeout 30s;
    inlets_drain_timeout 0;
    location /_/ {
        inlets_connect edge;
    }
    location / {
        inlets_tunnel edge;
    }
--- request
GET /
--- error_code: 404



=== a tunnel
--- config
    location / {
        inlets_tunnel edge;
    }
--- client
http -s demo
--- request
GET /
--- more_headers
Host: demo.example.com
--- response_body
it works



=== inlets_domain of the location in which clients log in
--- http_config
    inlets_domain example.com;
--- config
    location /_/ {
        inlets_connect edge;
        inlets_domain example.net;
    }
    location / {
        inlets_tunnel edge;
    }
--- client
http -s demo
--- pipelined_requests eval
["GET /", "GET /"]
--- more_headers eval
["Host: demo.example.net", "Host: demo.example.com"]
--- error_code eval
[200, 404]



=== proxy_pass elsewhere in the same server goes on as it did
--- config
    location / {
        inlets_tunnel edge;
    }
    location /plain {
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/seen;
    }
    location /seen {
        return 200 "$http_host $http_connection $server_protocol";
    }
--- request
GET /plain
--- response_body_like: ^127\.0\.0\.1:\d+ (?:close HTTP/1\.0| HTTP/1\.1)$



=== upstream{} of the name of the zone is another thing
--- http_config
    upstream edge {
        server 127.0.0.1:$TEST_NGINX_SERVER_PORT;
    }
--- config
    location / {
        inlets_tunnel edge;
    }
    location /plain {
        proxy_pass http://edge/seen;
    }
    location /seen {
        return 200 "upstream";
    }
--- pipelined_requests eval
["GET /plain", "GET /"]
--- error_code eval
[200, 404]
