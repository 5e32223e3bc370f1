# What an identity may take: names, ports, tunnels, streams; at login, when it
# comes back, and when the settings change.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Inlets::Test;

my %t = map { $_ => Inlets::Test->new(workers => $_) } 1, 4;

for my $workers (1, 4) {
    my $t = $t{$workers};
    my $web = $t->service('http');
    my $first = $t->port('tcp', 8);
    my $last = $first + 1;
    my $version = 0;

    my $settings = sub {
        my (%part) = @_;
        my %client = (
            named => 'allow: { subDomains: [app, "dev-*"] }',
            ports => "allow: { ports: ['$first-$last'] }",
            few => 'maxTunnels: 2',
            narrow => 'maxStreams: 2',
            plain => '',
            none => 'allow: { subDomains: [], ports: [] }',
            %{$part{clients} || {}},
        );
        my $text = "domain: example.com\ntoken: shared-token\n"
                   . ($part{more} || '') . "clients:\n";

        for my $id (sort keys %client) {
            next if !defined $client{$id};
            $text .= "  - clientId: $id\n    clientSecret: secret-$id\n";
            $text .= "    $client{$id}\n" if $client{$id};
        }

        $text =~ s/^token.*\n//m if $part{no_token};
        $t->file('new.yml', $text . '# ' . ++$version . "\n");
        rename $t->dir . '/new.yml', $t->dir . '/s.yml' or die $!;
    };

    $settings->();
    $t->edge(token => 'inlets_config s.yml;', domain => '',
             http => 'inlets_wait 300ms; inlets_auth_attempts 0;')->run();

    my $as = sub {
        my ($id, %opt) = @_;

        return $t->login(auth => 'credentials', client => $id,
                         secret => "secret-$id", %opt);
    };
    my $says = sub {
        my ($name, $message, @login) = @_;

        is($as->(@login)->{reply}{message}, $message, $name);
    };

    # names

    my $m = $as->('named', name => 'app');
    ok($m->{reply}{ok}, "$workers workers: exact name");
    my $dev = $as->('named', name => 'dev-7');
    ok($dev->{reply}{ok}, 'pattern');

    $says->('name that is not allowed',
            'subDomain "other" is not allowed for client "named"', 'named',
            name => 'other');
    $says->('nor its beginning',
            'subDomain "apps" is not allowed for client "named"', 'named',
            name => 'apps');
    like($as->('named')->{reply}{url}, qr{//dev-[a-z0-9]+\.example\.com},
         'none asked for: one of the pattern');
    $says->('none may be had', 'client "none" may have no subDomain', 'none');

    # ports

    if (Inlets::Test::nginx_features()->{stream}) {
        my @got = map { $as->('ports', type => 'tcp') } 1, 2;
        my @port = sort map { ($_->wait_event('tcp:ready') || {})->{port} }
                       @got;

        is_deeply(\@port, [ $first, $last ], 'ports within the range');
        $says->('no more of them', 'no free port', 'ports', type => 'tcp');
        $says->('port that is not allowed', 'port ' . ($last + 1)
                . ' is not allowed for client "ports"', 'ports',
                type => 'tcp', port => $last + 1);
    }

    # tunnels

    my @few = map { $as->('few') } 1, 2;
    ok(!(grep { !$_->{reply}{ok} } @few), 'maxTunnels');
    $says->('one too many',
            'client "few" has as many tunnels as it may have: 2', 'few');

    my $id = $few[0]{reply}{containerId};
    my $resumed = $as->('few', resume => $id);
    ok($resumed->{reply}{ok}, 'a resumed one counts once');
    $says->('still too many',
            'client "few" has as many tunnels as it may have: 2', 'few');
    $says->('nor with another name for it',
            'client "few" has as many tunnels as it may have: 2', 'few',
            resume => $resumed->{reply}{containerId}, name => 'few-too');
    $resumed->close();
    $few[0]->close();

    my $one_more;
    wait_for { ($one_more = $as->('few'))->{reply}{ok} } 5,
        'room after one has ended';

    # streams, of all tunnels of the client

    $m = $as->('narrow', name => 'n1');
    my $m2 = $as->('narrow', name => 'n2');
    my @link = map { $t->link($_) } $m, $m2;
    my @visitor;

    for my $n (1, 2) {
        my $v = $t->connect();
        $v->send_request('GET', '/', host => "n$n.example.com");
        push @visitor, [ $v, $link[$n - 1]->accept() ];
    }

    is($t->get('/', host => 'n1.example.com')->{status}, 503, 'maxStreams')
        for 1 .. $workers;

    $visitor[0][1]->read_until(qr/\r\n\r\n/);
    $visitor[0][1]->respond(200, 'x');
    is($visitor[0][0]->read_response()->{body}, 'x', 'one ends');

    my $v = $t->connect();
    $v->send_request('GET', '/', host => 'n2.example.com');
    ok($link[1]->accept(), 'room for another');

    # changes: what is no longer allowed is told and closed

    my $app = $as->('named', name => 'dev-8');
    my $plain = $as->('plain', name => 'plain');
    my $gone = $as->('narrow', name => 'n3');
    my $token = $t->login(secret => 'shared-token', name => 'tok');
    ok($_->{reply}{ok}, 'up before the change')
        for $app, $plain, $gone, $token;
    my $link = $t->link($plain);

    $plain->event('ping', undef);
    $plain->wait_event('pong');

    $settings->(
        clients => { named => 'allow: { subDomains: [app] }',
                     narrow => undef, plain => 'disabled: true' },
    );

    for my $case ([ $dev, 'subDomain "dev-7" is not allowed for client '
                          . '"named"' ],
                  [ $app, 'subDomain "dev-8" is not allowed for client '
                          . '"named"' ],
                  [ $gone, 'client "narrow" was removed from the settings of '
                           . 'this server' ],
                  [ $plain, 'client "plain" is disabled on this server' ])
    {
        my ($ws, $message) = @$case;

        is_deeply($ws->wait_event('error', 10),
                  { message => $message, fatal => JSON::PP::true() },
                  "told: $message");
        1 while defined $ws->read_message(5);
        is(($ws->{closed} || [])->[0], 1008, 'and closed');
    }

    is($t->get('/', host => 'plain.example.com')->{status}, 404,
       'the name is forgotten');
    ok($link->ended(10), 'its link is closed, in whatever worker');
    $says->('login of a disabled client', 'invalid signature', 'plain');

    $one_more->event('ping', undef);
    ok(defined $one_more->wait_event('pong') || !$one_more->{closed},
       'others go on');

    # heartbeat values go out at once

    $settings->(more => "heartbeat: { interval: 3s, timeout: 9s }\n");
    is_deeply([ map { $_->{pingInterval} }
                    grep { $_->{pingInterval} != 15000 }
                        map { $token->wait_event('@@CONFIG', 10) || {
                              pingInterval => 0 } } 1, 2 ],
              [ 3000 ], '@@CONFIG with the new values');

    # the token itself

    $settings->(no_token => 1);
    is(($token->wait_event('error', 10) || {})->{message},
       'the token is no longer accepted', 'token removed');

    # the real client says why, and ends

    my $client = $t->client({ env => { CREDENTIALS => 'few:secret-few' } },
                            'client', '-r', '127.0.0.1:' . $t->port(0),
                            'http', $web->upstream);
    $one_more->close();
    $few[1]->close();
    ok($client->wait_up(), 'client is up');
    $settings->(clients => { few => undef });
    is($client->wait_exit(15), 1, 'removed: the client ends');
    like($client->output, qr/client "few" was removed from the settings/,
         'and says why');

    $t->finish();
}
