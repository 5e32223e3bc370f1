# inlets server: an edge from a command line.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;
use Inlets::Test::Webhook;

my $t = Inlets::Test->new();
my $program = "$Inlets::Test::BUILD/inlets";
my $f = Inlets::Test::nginx_features();
my @built_in = $f->{text} =~ /--add-module=\Q$Inlets::Test::TOP\E(?:\s|$)/
               ? ('--modules', 'built-in') : ();
my $nginx = $Inlets::Test::NGINX;

($nginx) = grep { -x } map { "$_/$nginx" } split /:/, $ENV{PATH}
    if $nginx !~ m{/};

mkdir $t->dir() . '/home';

# nothing of the machine's own
my %env = (%{Inlets::Test::nginx_env()}, HOME => $t->dir() . '/home',
           map({ ($_ => undef, "INLETS_$_" => undef) }
               qw(DOMAIN SERVER_PORT SERVER_TCP_PORT SECURE TOKEN
                  NOTIFICATION_PROVIDER NOTIFICATION_URL)),
           map { ("INLETS_$_" => undef) }
               qw(TCP_RANGE LISTEN TLS_CERT TLS_KEY TOKEN_FILE PUBLIC CONFIG
                  STATUS ACCESS_LOG WORKERS GRACE NGINX MODULES USER LOG_LEVEL
                  PRINT_CONFIG));


sub command {
    my ($env, @arguments) = @_;

    return $t->client({ env => { %env, %$env } }, @arguments);
}


# An edge at 127.0.0.1 that is up.

sub server {
    my ($env, @flags) = @_;

    my $server = command($env, 'server', '--nginx', $nginx, @built_in,
                         '--listen', '127.0.0.1', '--workers', '1', @flags);

    $server->wait_output(qr/^Listening: /m, 20) or diag($server->output());

    return $server;
}


# (exit status, output) of one that ends by itself.

sub said {
    my ($env, @flags) = @_;
    my $server = command($env, 'server', '--nginx', $nginx, @built_in, @flags);
    my $status = $server->wait_exit(20);

    return ($status, $server->output());
}


sub refused {
    my ($name, $regex, @flags) = @_;
    my $env = ref $flags[0] ? shift @flags : {};
    my ($status, $output) = said($env, @flags);

    is($status, 1, "$name: refused");
    like($output, $regex, "$name: told");

    return $output;
}


sub children {
    my ($pid) = @_;
    return split ' ', $t->read_file("/proc/$pid/task/$pid/children");
}


sub master {
    my ($server) = @_;
    my ($pid) = grep { $t->read_file("/proc/$_/cmdline") =~ /^nginx: master/ }
                     children($server->pid());

    return $pid;
}


sub folder {
    my ($server) = @_;
    my $pid = master($server);

    return $pid && $t->read_file("/proc/$pid/cmdline") =~ /-p\s*(\/[^\s\0]+)/
           ? $1 : '';
}


sub login {
    my ($port, $name, %opt) = @_;
    my $monitor = $t->monitor(port => $port, host => 'example.com');

    return $monitor->authenticate(name => $name, %opt);
}


sub client {
    my ($port, $env, @arguments) = @_;
    my $edge = $port =~ /:/ ? $port : "127.0.0.1:$port";
    my $client = $t->client({ env => $env }, 'client', '-r', $edge,
                            @arguments);

    $client->wait_up() or diag($client->output());

    return $client;
}


my $port = Inlets::Test::free_port();
my @small = ('--listen', '127.0.0.1', '-p', $port, '-d', 'example.com');
my $web = $t->service('http');


# The help.

my $help = command({}, 'server', '--help');
is($help->wait_exit(), 0, 'help');
like($help->output(), qr/--tcp-port PORT .*later/, 'which v1 peers come later');
like($help->output(), qr/\[\$INLETS_SERVER_PORT or \$SERVER_PORT,\s+default 8080/,
     'environment and defaults');


# Errors before nginx starts.

refused('no domain', qr/^Error: domain is required \(use --domain, set DOMAIN env var, or specify in config file\)$/m);
refused('no token', qr/^Error: token is required \(use --token, set TOKEN env var, or specify in config file\)$/m,
        '-d', 'example.com');
refused('domain', qr/domain must be one such as example\.com/,
        '-d', 'https://example.com', '-t', 'x');
refused('one half of TLS', qr/--tls-key is missing/, @small, '-t', 'x',
        '--tls-cert', __FILE__);
refused('certificate', qr/--tls-cert: cannot read "\/none": No such file/,
        @small, '-t', 'x', '--tls-cert', '/none', '--tls-key', '/none');
refused('one half of a notification', qr/the URL is missing/, @small, '-t',
        'x', '--notification-provider', 'slack');
refused('provider', qr/notification\.provider: expected one of dingtalk/,
        @small, '-t', 'x', '--notification-provider', 'pager',
        '--notification-url', 'http://127.0.0.1/');
refused('URL of a notification', qr/^Error: notification\.url: expected an/m,
        @small, '-t', 'x', '--notification-provider', 'slack',
        '--notification-url', 'ftp://127.0.0.1/');
refused('range', qr/--tcp-range must be ports such as 20000-20099/, @small,
        '-t', 'x', '--tcp-range', '20099-20000');
refused('port in the range', qr/port $port is also one of --tcp-range/,
        @small, '-t', 'x', '--tcp-range', $port);
refused('address', qr/--listen must be an IP address/, @small, '-t', 'x',
        '--listen', 'localhost');
refused('no such file', qr/cannot read config file "\/none\.yml": No such/,
        @small, '-t', 'x', '-c', '/none.yml');
refused('token file', qr/cannot read token file "\/none"/, @small,
        '--token-file', '/none');
refused('an argument', qr/unexpected argument "start"/, 'start');
refused('no nginx', qr/--nginx: "\/none" is no program/, @small, '-t', 'x',
        '--nginx', '/none');
refused('not nginx', qr/is this nginx\?/, @small, '-t', 'x', '--nginx',
        '/bin/true');
refused('no modules', qr/--modules: there is no ngx_http_inlets_module\.so/,
        @small, '-t', 'x', '--modules', $t->dir());

{
    my $taken = $t->listener();
    my $number = $taken->port();

    refused('port in use', qr/port $number is in use.*--port/, @small, '-p',
            $number, '-t', 'x');
    refused('port of the range in use', qr/port $number is in use.*--tcp-range/,
            @small, '-t', 'x', '--tcp-range', $number);
    $taken->close();
}

my $broken = $t->file('broken.yml',
    "domain: example.com\ntoken: x\nprot: 8080\nheartbeat: {interval: soon}\n");
my $output = refused('bad settings',
    qr/^Error: \Q$broken\E:3: unknown key "prot", did you mean "port"\?$/m,
    '--listen', '127.0.0.1', '-p', $port, '-c', $broken);
like($output, qr/broken\.yml:4: heartbeat\.interval: expected/,
     'all faults are told');

refused('not YAML', qr/bad\.yml:\d/, '--listen', '127.0.0.1', '-p', $port,
        '-c', $t->file('bad.yml', "domain: [\n"));

# a program with another version, as modules see it
my $other = $t->file('nginx-other', <<'END');
#!/bin/sh
case "$1" in
-V) echo 'nginx version: nginx/1.99.1' >&2
    echo 'configure arguments: --with-stream --with-http_ssl_module' >&2 ;;
*)  echo 'nginx: [emerg] module "/x/ngx_http_inlets_module.so" version' \
        '1022001 instead of 1099001 in /x/nginx.conf:3' >&2
    exit 1 ;;
esac
END
chmod 0755, $other;
refused('another nginx', qr/are for nginx 1\.22\.1, and "\Q$other\E" is nginx 1\.99\.1/,
        @small, '-t', 'x', '--nginx', $other);

SKIP: {
    skip 'no setpriv', 4 if !-x '/usr/bin/setpriv' || $> != 0;
    skip 'all ports are free to take', 4
        if $t->read_file('/proc/sys/net/ipv4/ip_unprivileged_port_start')
           !~ /^1024/;

    my $run = sub {
        my ($limit, @arguments) = @_;
        my $log = $t->dir() . '/privileges';

        unlink $log;

        my $pid = spawn('server', { stdout => $log, stderr => $log,
                                    env => \%env },
            'prlimit', "--nofile=$limit:$limit", 'setpriv',
            '--bounding-set=-all', $program, 'server', '--nginx', $nginx,
            @built_in, @small, '-t', 'x', @arguments);

        return (Inlets::Test::reap($pid, 20), $t->read_file('privileges'));
    };

    my ($status, $text) = $run->(4096, '-p', 81);
    is($status >> 8, 1, 'a port for root only');
    like($text, qr/not allowed to listen on port 81/, 'is told');

    ($status, $text) = $run->(500, '--tcp-range', '20000-20299');
    is($status >> 8, 1, 'more ports than open files');
    like($text, qr/301 ports need at least 621 open files, and only 500 are allowed \(ulimit -n\)/,
         'is told');
}


# Signals before nginx is up: this one forgets them, as nginx itself may.

my $slow = $t->file('nginx-slow', <<"END");
#!/bin/sh
case " \$* " in *" -V "*|*" -t "*) exec '$nginx' "\$@" ;; esac
trap '' QUIT
echo > '$t->{dir}/started'
while [ ! -e '$t->{dir}/go' ]; do sleep 0.05; done
trap - QUIT
exec '$nginx' "\$@"
END
chmod 0755, $slow;

{
    my @slow = ('server', '--nginx', $slow, @built_in, @small, '-t', 'x');
    my $server = command({}, @slow);

    wait_for { -e $t->dir() . '/started' } 20, 'start';
    $server->signal('TERM');
    is($server->wait_exit(20), 0, 'SIGTERM before it is up');
    unlike($server->output(), qr/grace period|Listening/, 'ends it at once');

    unlink $t->dir() . '/started';
    $server = command({}, @slow);
    wait_for { -e $t->dir() . '/started' } 20, 'start';
    $server->signal('HUP');
    $t->file('go', '');
    ok($server->wait_output(qr/^Listening: .*SIGHUP: reading.*reloading/ms, 20),
       'SIGHUP before it is up: done when it is');
    $server->stop();
}


# --print-config.

my $settings = $t->file('edge.yml',
    "domain: example.org\nport: $port\ntoken: in-the-file\n");
my ($status, $conf) = said({ INLETS_WORKERS => 3 }, '--print-config', '-c',
                           $settings, '--listen', '127.0.0.1', '--status');

is($status, 0, 'configuration printed');
like($conf, qr/worker_processes 3; +# \$INLETS_WORKERS$/m, 'environment');
like($conf, qr/listen 127\.0\.0\.1:$port; +# \Q$settings\E$/m, 'file');
like($conf, qr/inlets_config "\Q$settings\E"; +# --config$/m, 'flag');
like($conf, qr/access_log off; +# default$/m, 'default');
like($conf, qr/# domain example\.org: from the settings file/, 'domain');
unlike($conf, qr/in-the-file/, 'no secret');

{
    my ($good, $text) = $t->test_conf("pid $t->{dir}/nginx.pid;\n" . $conf
        =~ s/error_log stderr.*//r =~ s/(server_tokens off;)/$1
             client_body_temp_path $t->{dir}\/client_body;
             proxy_temp_path $t->{dir}\/proxy;/xr);

    ok($good, 'nginx takes what was printed') or diag($text);
}

($status, $conf) = said({ TOKEN => 'very-secret', DOMAIN => 'example.net',
                          INLETS_DOMAIN => 'Example.com' },
    '--print-config', '-c', $settings, '-p', 8081, '--secure=false',
    '--notification-provider', 'slack', '--notification-url',
    'http://127.0.0.1/very-secret');

is($status, 0, 'printed with secrets');
like($conf, qr/inlets_domain "example\.com"; +# \$INLETS_DOMAIN$/m,
     'environment over file');
like($conf, qr/listen 8081; +# --port$/m, 'flag over file');
like($conf, qr/#   token: \.\.\. +# \$TOKEN$/m, 'a secret is only named');
like($conf, qr/#   secure: false +# --secure$/m, 'a setting');
unlike($conf, qr/very-secret|in-the-file/, 'no secret at all');


SKIP: {
    skip 'no choice of user', 3 if $> != 0;

    my $group = getgrgid((getpwnam 'nobody')[3]);

    ($status, $conf) = said({}, '--print-config', @small, '-t', 'x', '--user',
                            'nobody');
    like($conf, $group eq 'nobody' ? qr/user "nobody";/
                                   : qr/user "nobody" "$group";/,
         'a user with the group it has');
    refused('user', qr/--user: there is no user "no-one"/, @small, '-t', 'x',
            '--user', 'no-one');
}


# A whole edge by flags: HTTP and TCP.

my $tcp = Inlets::Test::free_port(4);
my $echo = $t->service('echo');
my $log = $t->dir() . '/visitors.log';
my $server = server({}, '-p', $port, '-d', 'example.com', '-t', 'geheim $"\\',
                    '--tcp-range', $tcp . '-' . ($tcp + 3), '--status',
                    '--access-log', $log);
my $folder = folder($server);

ok(-d $folder, 'a run-time folder');
is((stat $folder)[2] & 0066, 0, 'for nobody else');
unlike($t->read_file("$folder/nginx.conf"), qr/geheim/,
       'no secret in the configuration');
is((stat "$folder/flags.yml")[2] & 0777, 0600, 'secrets in a private file');
is((stat _)[4], $>, 'of the one who has started it, not of the workers');
like($t->read_file("$folder/nginx.conf"), qr/"overrides=\Q$folder\E\/flags/,
     'that takes effect with a reload, not before');

my $master = master($server);

for my $pid ($server->pid(), $master, children($master)) {
    unlike($t->read_file("/proc/$pid/cmdline"), qr/geheim/, 'nor in ps');
}

my $client = client($port, { TOKEN => 'geheim $"\\' }, '-s', 'app', 'http',
                    $web->upstream());
is($client->host(), 'app.example.com', 'an HTTP tunnel');
is($t->get('/', host => 'app.example.com', port => $port)->{body},
   "it works\n", 'leads to the service');
ok((wait_for { $t->read_file($log) =~ /app\.example\.com "GET \// }),
   'access log');

my $raw = client($port, { TOKEN => 'geheim $"\\' }, 'tcp', $echo->upstream());
ok($raw->port() >= $tcp && $raw->port() <= $tcp + 3, 'a TCP tunnel');

my $visitor = $t->connect(port => $raw->port());
$visitor->send('hello');
is($visitor->read_exact(5), 'hello', 'leads to the service');
$visitor->close();

like($t->get('/_/status', port => $port)->{body}, qr/"tunnels":2/, 'status');

$client->stop();
$raw->stop();

$server->signal('TERM');
is($server->wait_exit(15), 0, 'SIGTERM ends it');
like($server->output(), qr/^Shutting down server\.\.\.$/m, 'told');
ok(!-e $folder, 'the folder is gone');


# Flags over the file, and over each of its changes; reload.

my $hook = Inlets::Test::Webhook->start($t);
my $file_hook = Inlets::Test::Webhook->start($t);

sub write_settings {
    my ($more) = @_;

    $t->file('edge.new', "domain: file.example.com\nport: 1\ntoken: of-file\n"
        . "notification: {provider: webhook, url: '" . $file_hook->url()
        . "', secret: x}\n$more");
    rename $t->dir() . '/edge.new', $settings or die;
}

write_settings('');

$server = server({ NOTIFICATION_URL => $hook->url('/secret-path'), HOME => '/',
                   TOKEN => 'environment' },
    '-c', $settings, '-d', 'example.com', '-p', $port, '-t', 'of-flag',
    '--notification-provider', 'webhook');

$master = master($server);
unlike($t->read_file("/proc/$master/environ"), qr/environment|secret-path/,
       'no secret in the environment of nginx');

is($hook->wait_post(0, 'server_started')->{uri}, '/secret-path',
   'the URL of the environment wins');
is($hook->posts() && $hook->wait_post(0)->{headers}{'x-inlets-signature'},
   undef, 'without the secret of the other one');

ok(login($port, 'one', secret => 'of-flag')->{ok}, 'the token of the flag');
ok(!login($port, 'two', secret => 'of-file')->{ok}, 'not of the file');

write_settings("clients: [{clientId: alice, clientSecret: s}]\n");
$hook->wait_post(0, 'settings_reloaded', 15);

ok(login($port, 'three', secret => 'of-flag')->{ok},
   'the same after a change');
ok(!login($port, 'four', secret => 'of-file')->{ok}, 'of the file');
ok(login($port, 'five', auth => 'credentials', client => 'alice',
         secret => 's')->{ok}, 'and what is new counts');
is(scalar $file_hook->posts(), 0, 'nothing told to the URL of the file');

my $reload = command({}, 'server', 'reload', '-c', $settings);
is($reload->wait_exit(), 0, 'reload from outside');
like($reload->output(), qr/^Config reload signal sent \(pid file: \//, 'told');
$server->wait_output(qr/reloading with \Q$settings\E/);
ok((wait_for { login($port, 'six', secret => 'of-flag')->{ok} }),
   'the flags after it');

write_settings("wrong: 1\n");
$server->signal('HUP');
ok($server->wait_output(qr/edge\.yml:5: unknown key "wrong"/),
   'a reload of a bad file');
ok($server->wait_output(qr/not reloaded, all stays as it was/), 'is refused');
ok(login($port, 'seven', secret => 'of-flag')->{ok}, 'and does no harm');

$reload = command({}, 'server', 'reload', '-c', $settings);
is($reload->wait_exit(15), 1, 'from outside');
like($reload->output(), qr/^Error: the server goes on as it was/m, 'told');

$server->signal('INT');
is($server->wait_exit(15), 0, 'SIGINT ends it');

$reload = command({}, 'server', 'reload', '-c', $settings);
is($reload->wait_exit(), 1, 'nothing to reload');
like($reload->output(), qr/no inlets server of this user runs with config file/,
     'is told');


# The file alone, found where it is looked for; a new domain by a reload.

mkdir $t->dir() . '/home/.config';
my $found = $t->file('home/.config/inlets.yml',
    "domain: one.example\nport: $port\ntoken: x\n");

$server = server({});
like($server->output(), qr{^Listening: http://\*\.one\.example:$port$}m,
     'domain and port of a file that was found');

$t->file('home/.config/inlets.yml',
    "domain: two.example\nport: $port\ntoken: x\n");
$server->signal('HUP');
$server->wait_output(qr/reloading with/);

ok((wait_for { (login($port, 'a', secret => 'x')->{url} || '')
                   =~ m{//a\.two\.example} }),
   'another domain after a reload');
ok($server->wait_output(qr{^Listening: http://\*\.two\.example:$port$}m),
   'is told');

{
    my $taken = $t->listener();
    my $number = $taken->port();
    my $other = Inlets::Test::free_port();

    $t->file('home/.config/inlets.yml',
        "domain: two.example\nport: $number\ntoken: x\n");
    $reload = command({}, 'server', 'reload', '-c', $found);
    is($reload->wait_exit(15), 1, 'a reload with a port in use');
    ok($server->wait_output(qr/port $number is in use/), 'is told');
    $taken->close();

    $t->file('home/.config/inlets.yml',
        "domain: two.example\nport: $other\ntoken: x\n");
    $reload = command({}, 'server', 'reload', '-c', $found);
    is($reload->wait_exit(15), 0, 'with another port');
    ok($server->wait_output(qr{^Listening: .*:$other$}m), 'is told');
    ok((wait_for { login($other, 'b', secret => 'x')->{ok} }), 'done');

    $t->file('home/.config/inlets.yml',
        "domain: two.example\nport: $port\ntoken: x\n");

    # old workers listen for a moment more
    ok((wait_for { command({}, 'server', 'reload', '-c', $found)->wait_exit(15)
                       == 0 } 20), 'and back');
}


# A visitor in the middle: graceful, then not.

$client = client($port, { TOKEN => 'x' }, '-s', 'b', 'http',
                 $web->upstream());
$visitor = $t->connect(port => $port);
$visitor->send_request('GET', '/slow?ms=1500', host => $client->host());
wait_for { $web->requests() } 5, 'request';
$server->signal('TERM');
is($visitor->read_response()->{status}, 200, 'a request is finished');
$client->stop();
is($server->wait_exit(15), 0, 'then it ends');

unlink $found;

$server = server({}, '-p', $port, '-d', 'example.com', '-t', 'x');
$client = client($port, { TOKEN => 'x' }, '-s', 'c', 'http',
                 $web->upstream());
$visitor = $t->connect(port => $port);
$visitor->send_request('GET', '/hang', host => $client->host());
$server->signal('TERM');
$server->wait_output(qr/Shutting down/);
ok($server->alive(), 'it waits');
$server->signal('TERM');

my $since = time();
is($server->wait_exit(15), 0, 'a second signal');
cmp_ok(time() - $since, '<', 5 * $Inlets::Test::SLOW, 'ends it at once');
$client->stop();

$server = server({}, '-p', $port, '-d', 'example.com', '-t', 'x', '--grace',
                 '300');
$client = client($port, { TOKEN => 'x' }, '-s', 'd', 'http',
                 $web->upstream());
$visitor = $t->connect(port => $port);
$visitor->send_request('GET', '/hang', host => $client->host());
$server->signal('TERM');
is($server->wait_exit(15), 0, '--grace is a bound');
like($server->output(), qr/the grace period is over/, 'told');
$client->stop();


# A client that has nothing to do: it finds no other edge process, and leaves.

$server = server({}, '-p', $port, '-d', 'example.com', '-t', 'x', '--grace',
                 '60000');
$client = client($port, { TOKEN => 'x' }, '-s', 'e', 'http',
                 $web->upstream());
is($t->get('/', host => $client->host(), port => $port)->{status}, 200,
   'a visit');
$server->signal('TERM');
is($server->wait_exit(30), 0, 'an idle client does not hold up the end');
ok($client->wait_output(qr/no other edge process is there/), 'it left');

$server = server({}, '-p', $port, '-d', 'example.com', '-t', 'x');
ok($client->wait_up(2), 'and comes back');
$client->stop();
$server->stop();


# nginx ends by itself; this process is killed.

$server = server({}, '-p', $port, '-d', 'example.com', '--public',
                 '--access-log', '-');
$t->get("/line$_", port => $port) for 1, 2;
ok($server->wait_output(qr/"GET \/line1 .*"GET \/line2 /s),
   'access log to standard output');
$server->signal('USR1');
ok((wait_for { $t->get('/line3', port => $port);
               $server->output() =~ m{"GET /line3 } }), 'and reopened');
$client = client($port, {}, 'http', $web->upstream());
ok($client->url(), '--public');
$client->stop();
$master = master($server);
$folder = folder($server);
kill 'KILL', children($master), $master;
is($server->wait_exit(15), 1, 'nginx was killed: the exit status tells');
like($server->output(), qr/nginx was ended by signal 9/, 'and a message');
ok(!-e $folder, 'the folder is gone');

$server = server({}, '-p', $port, '-d', 'example.com', '-t', 'x');
$master = master($server);
$folder = folder($server);
$server->signal('KILL');
$server->wait_exit();
my $left = $folder;
ok((wait_for { $t->read_file("/proc/$master/stat") !~ /\) [^Z]/ }),
   'nginx does not outlive it');

# its folder has secrets: the next one clears it away
$server = server({}, '-p', $port, '-d', 'example.com', '-t', 'x');
ok(!-e $left, 'what it left is removed');
ok(-e folder($server), 'and nothing else');
$server->stop();


# Standard output that nginx can't open anew, such as the journal's socket.

{
    my $log = $t->dir() . '/socket';
    my $pid = spawn('server', { stdout => $log, stderr => "$log.err",
                                env => \%env },
        $^X, '-MSocket', '-e', '
            $| = 1;
            socketpair(my $reader, my $writer, AF_UNIX, SOCK_STREAM, 0) or die;

            if (!fork) {
                close $writer;
                print while <$reader>;
                exit;
            }

            open STDOUT, ">&", $writer or die;
            exec @ARGV or die',
        $program, 'server', '--nginx', $nginx, @built_in, @small, '-t', 'x',
        '--workers', '1', '--access-log', '-');

    ok((wait_for { $t->read_file('socket') =~ /^Listening/m } 20),
       'standard output is a socket');
    $t->get("/socket$_", port => $port) for 1 .. 3;
    kill 'TERM', $pid;
    is(Inlets::Test::reap($pid, 20), 0, 'ended');
    ok((wait_for { $t->read_file('socket') =~ m{/socket1 .*/socket3 }s }),
       'the access log is in it, to the last line');
}


# Nobody reads it: visitors don't wait.

{
    my $pid = spawn('server', { stderr => $t->dir() . '/unread.err',
                                env => \%env },
        $^X, '-MSocket', '-e', '
            $^F = 255;
            socketpair(my $reader, my $writer, AF_UNIX, SOCK_STREAM, 0) or die;
            open STDOUT, ">&", $writer or die;
            exec @ARGV or die',
        $program, 'server', '--nginx', $nginx, @built_in, @small, '-t', 'x',
        '--workers', '1', '--access-log', '-');
    my $answers = sub { ($t->get('/' . 'x' x 2000, port => $port) || {})
                        ->{status} // 0 };

    ok((wait_for { eval { $answers->() } } 20), 'standard output is not read');
    is((grep { $answers->() == 404 } 1 .. 400), 400, 'which holds nobody up');
    kill 'TERM', $pid;
    is(Inlets::Test::reap($pid, 20), 0, 'ended');
}


# TLS: HTTPS and wss on one port.

SKIP: {
    skip 'nginx without TLS', 2 if $f->{text} !~ /--with-http_ssl_module/;

    my ($crt, $key) = $t->certificate();

    $server = server({}, '-p', $port, '-d', 'example.com', '-t', 'x',
                     '--tls-cert', $crt, '--tls-key', $key);
    $client = client("https://127.0.0.1:$port", { TOKEN => 'x' }, '--ca-file',
                     $crt, '-s', 'tls', 'http', $web->upstream());

    is($client->url(), "https://tls.example.com:$port", 'over TLS');
    is($t->get('/', host => 'tls.example.com', port => $port,
               ssl => 1)->{body}, "it works\n", 'HTTPS');
    $client->stop();
    $server->stop();
}

# those of nginx before 1.25 when it is told to end at once while it is ending
$t->allow_log(qr/exited on signal 9|open socket #\d+ left in|\]\ .*aborting/);
$t->finish();
