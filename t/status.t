use strict;
use warnings;

# inlets_status: JSON, Prometheus text, methods, many rows, slow readers.

use JSON::PP;
use Test::More;

use Inlets::Test;

my $t = Inlets::Test->new(workers => 2);
my $file = $t->file('server.yml', <<'END');
token: status-token
clients:
  - clientId: 'a"b\c'
    clientSecret: secret
    bandwidthLimit: {upload: 5m, download: 7m}
bandwidthLimits: {global: {upload: 900m, download: 901m}}
END

$t->file('users', "a:{PLAIN}b\n");

$t->edge(
    zone => 'inlets_zone edge 8m;',
    token => "inlets_config $file;",
    server => <<'END',
    location = /_/status { inlets_status edge; }
    location = /_/denied { inlets_status edge; deny all; }
    location = /_/users  { inlets_status edge; auth_basic status;
                           auth_basic_user_file %%TESTDIR%%/users; }
    location = /_/gzip   { inlets_status edge; gzip on; gzip_types *; }
    location = /_/slow   { inlets_status edge; limit_rate 200k;
                           limit_rate_after 1k; }
END
)->run();

my $web = $t->service('http');
my $echo = $t->service('echo');

my $http = $t->client({}, 'client', '-r', '127.0.0.1:' . $t->port(0),
    '--credentials', 'a"b\c:secret', '-s', 'demo', 'http', $web->upstream());
my $tcp = $t->client({}, 'client', '-r', '127.0.0.1:' . $t->port(0),
    '--credentials', 'a"b\c:secret', '--links', 2, 'tcp', $echo->upstream());

$_->wait_up() for $http, $tcp;

# JSON.

my $answer = $t->get('/_/status');

is($answer->{status}, 200, 'JSON');
is($answer->{headers}{'content-type'}, 'application/json', 'its type');
is($answer->{headers}{'cache-control'}, 'no-store', 'it is not to be kept');

my $s = decode_json($answer->{body});

is($s->{zone}, 'edge', 'zone');
like($s->{version}, qr/^\d+\.\d+\.\d+$/, 'version');
is($s->{global}{tunnels}, 2, 'tunnels');
is($s->{global}{clients}, 1, 'clients');
is_deeply($s->{global}{limit}, { upload => 900 * 1024 * 1024,
                                 download => 901 * 1024 * 1024 },
          'global limit') or diag(encode_json($s->{global}));
is_deeply([ sort map { $_->{pid} } @{$s->{workers}} ],
          [ sort $t->workers() ], 'workers');

my ($client) = @{$s->{clients}};

is(scalar @{$s->{clients}}, 1, 'one client');
is($client->{clientId}, 'a"b\c', 'its id, whatever is in it');
is($client->{tunnels}, 2, 'its tunnels');
is_deeply($client->{limit}, { upload => 5 * 1024 * 1024,
                              download => 7 * 1024 * 1024 }, 'its limit');

my ($h) = grep { $_->{type} eq 'http' } @{$s->{tunnels}};
my ($p) = grep { $_->{type} eq 'tcp' } @{$s->{tunnels}};

is($h->{host}, 'demo.example.com', 'host');
is($p->{port}, $tcp->port(), 'port');
like($h->{id}, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'id');
ok((grep { $_ == $h->{worker} } $t->workers()), 'its worker');

ok((wait_for {
    my $status = decode_json($t->get('/_/status')->{body});
    my ($tunnel) = grep { $_->{type} eq 'tcp' } @{$status->{tunnels}};
    my $links = 0;
    $links += $_->{count} for @{$tunnel->{links}};
    my $all = 0;
    $all += $_->{links} for @{$status->{workers}};
    $links == 2 && $all >= 3;
} 10, 'links'), 'links by worker');

ok(!$h->{draining}, 'not draining');

is($t->get('/_/status?format=json')->{headers}{'content-type'},
   'application/json', 'format=json');

# Prometheus.

$answer = $t->get('/_/status?format=prometheus');

is($answer->{headers}{'content-type'},
   'text/plain; version=0.0.4; charset=utf-8', 'type of Prometheus text');

my (%type, %help, %value, %seen, $bad, $family);

for my $line (split /\n/, $answer->{body}) {

    if ($line =~ /^# HELP ([a-z_]+) \S.*\.$/) {
        $bad .= "$line\n" if $help{$1}++;
        $family = $1;

    } elsif ($line =~ /^# TYPE ([a-z_]+) (counter|gauge)$/) {
        $bad .= "$line\n" if $1 ne $family || $type{$1};
        $type{$1} = $2;

    } elsif ($line =~ /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)*\})
                       [ ](\d+)$/x)
    {
        # a family in one piece, no series twice
        $bad .= "$line\n" if $1 ne $family || $seen{"$1$2"}++;
        $value{"$1$2"} = $3;

    } else {
        $bad .= "$line\n";
    }
}

is($bad, undef, 'every line is of the format');
like($answer->{body}, qr/\n\z/, 'the last one ends');

for my $name (keys %type) {
    my $counter = $name =~ /_total$/ ? 'counter' : 'gauge';
    $bad .= "$name\n" if $type{$name} ne $counter;
}

is($bad, undef, 'names of counters end with _total, no others');

is($value{'inlets_tunnels{zone="edge"}'}, 2, 'a gauge of the zone');
is($value{'inlets_client_tunnels{zone="edge",client_id="a\"b\\\\c"}'}, 2,
   'a label is escaped');
is($value{'inlets_client_upload_limit_bytes{zone="edge",'
          . 'client_id="a\"b\\\\c"}'}, 5 * 1024 * 1024, 'a limit');
ok((grep { /^inlets_tunnel_requests_total.*host="demo\.example\.com"/ }
         keys %value), 'host of a tunnel');
ok((grep { my $port = $tcp->port();
           /^inlets_tunnel_links.*port="$port",worker="\d+"/ } keys %value),
   'port and worker of a link');
ok((grep { /^inlets_info\{zone="edge",version="[\d.]+",nginx="[\d.]+"/ }
         keys %value), 'version');

# Methods and access.

$answer = $t->request('HEAD', '/_/status');
is($answer->{status}, 200, 'HEAD');
is($answer->{body}, '', 'has no body');
is($answer->{headers}{'content-type'}, 'application/json', 'but a type');

for my $method (qw(POST PUT DELETE OPTIONS)) {
    $answer = $t->request($method, '/_/status', body => 'x');
    is($answer->{status}, 405, "$method is not allowed");
    is($answer->{headers}{allow}, 'GET, HEAD', 'what is');
}

is($t->get('/_/status?format=xml')->{status}, 400, 'an unknown format');
is($t->get('/_/denied')->{status}, 403, "the location's own access");
is($t->get('/_/users')->{status}, 401, 'a password is missing');
is($t->get('/_/users', headers => [ authorization => 'Basic YTpi' ])->{status},
   200, 'and is given');
is($t->get('/_/other')->{status}, 404, 'the other locations are as before');

# Many tunnels: more than fits into a buffer, and readers that are slow.

my @many = map { $t->login(secret => 'status-token', name => "many-$_") }
               1 .. 150;

is(scalar(grep { $_->{reply}{ok} } @many), 150,
   '150 tunnels more') or diag(explain($many[0]{reply}{message}));

sub names {
    my ($body) = @_;
    my $status = eval { decode_json($body) } or return 0;
    my %host = map { $_->{host} => 1 } grep { $_->{host} }
                   @{$status->{tunnels}};
    return scalar grep { $host{"many-$_.example.com"} } 1 .. 150;
}

is(names($t->get('/_/status')->{body}), 150, 'all of them in JSON');
is(scalar(my @series = $t->get('/_/status?format=prometheus')->{body}
          =~ /^inlets_tunnel_streams\{.*"many-\d+\.example\.com"\} 0$/mg),
   150, 'and in Prometheus text');
is(names($t->get('/_/slow', timeout => 60)->{body}), 150, 'slowly');

$answer = $t->get('/_/gzip', headers => [ 'Accept-Encoding' => 'gzip' ]);
is($answer->{headers}{'content-encoding'}, 'gzip', 'compressed');

SKIP: {
    eval { require IO::Uncompress::Gunzip; 1 } or skip 'no gunzip', 1;
    my $plain;
    IO::Uncompress::Gunzip::gunzip(\$answer->{body} => \$plain);
    is(names($plain), 150, 'with all of them');
}

my $reader = $t->connect(rcvbuf => 2048);
$reader->send_request('GET', '/_/status?format=prometheus',
                      host => 'example.com');
select undef, undef, undef, 0.3;
is(scalar(@series = $reader->read_response()->{body}
          =~ /^inlets_tunnel_streams\{.*"many-\d+\.example\.com"\} 0$/mg),
   150, 'a visitor who reads slowly');

$reader = $t->connect(rcvbuf => 2048);
$reader->send_request('GET', '/_/status?format=prometheus',
                      host => 'example.com');
$reader->read_exact(100);
$reader->abort();

# While tunnels come and go.

for (1 .. 10) {
    (pop @many)->close();
    push @many, $t->login(secret => 'status-token');
    names($t->get('/_/status')->{body}) or last;
}

cmp_ok(names($t->get('/_/status')->{body}), '>=', 130,
       'while tunnels come and go');

$_->close() for @many;
ok((wait_for { names($t->get('/_/status')->{body}) == 0 } 10, 'none'),
   'none when they are gone');

# Directives.

for my $case (
    [ 'inlets_status edge; inlets_status edge;', qr/is duplicate/ ],
    [ 'inlets_status;', qr/invalid number of arguments/ ],
    [ 'inlets_status other;', qr/zone "other" is not declared/ ],
    [ 'inlets_status edge; inlets_tunnel edge;', qr/can't be in one/ ],
    [ 'inlets_connect edge; inlets_status edge;', qr/can't be in one/ ],
    [ 'inlets_status edge; proxy_pass http://127.0.0.1;',
      qr/can't be in one/ ],
) {
    my $conf = $t->read_file('nginx.conf');
    $conf =~ s/location = \/_\/denied \{[^}]*\}/location = \/x { $case->[0] }/;
    my ($ok, $said) = $t->test_conf($conf);
    ok(!$ok, "refused: $case->[0]");
    like($said, $case->[1], 'and why');
}

$t->finish();
