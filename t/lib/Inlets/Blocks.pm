package Inlets::Blocks;

# Test::Nginx::Socket with our modules, a port and a folder of its own, and
# sections that start the real client.  t/README.md has an example.
#
#   --- client      flags and type: "http -s demo"; the server's address, the
#                   token and the upstream are added
#   --- upstream    kind of the local service, "http" if not given
#   --- config      as usual; "location /_/ { inlets_connect edge; }" is added
#                   if there is a client and it isn't there

use strict;
use warnings;

use File::Temp qw(tempdir);

use Inlets::Test;

my ($holder, $client, $service, $kind);
my $owner = $$;

BEGIN {
    $holder = Inlets::Test->new();
    $holder->{done} = 1;

    my $root = $holder->dir() . '/servroot';
    my $preload = Inlets::Test::preload();

    $ENV{TEST_NGINX_SERVROOT} = $root;
    $ENV{TEST_NGINX_BINARY} = $Inlets::Test::NGINX;
    $ENV{TEST_NGINX_PORT} ||= Inlets::Test::free_port();
    $ENV{TEST_NGINX_LOAD_MODULES} = join ' ', Inlets::Test::modules();
    $ENV{TEST_NGINX_TIMEOUT} ||= 10;

    if ($preload) {
        $ENV{TEST_NGINX_LD_PRELOAD} = $preload;
        $ENV{ASAN_OPTIONS} = 'detect_leaks=0:detect_odr_violation=0';
    }
}

use Test::Nginx::Socket ();


sub import {
    shift;
    unshift @_, 'Test::Nginx::Socket';
    goto &{Test::Nginx::Socket->can('import')};
}


Test::Nginx::Socket::no_root_location();

Test::Nginx::Socket::add_block_preprocessor(sub {
    my ($block) = @_;

    my $http = defined $block->http_config ? $block->http_config : '';

    if ($http !~ /\binlets_zone\b/) {
        $http = "inlets_zone edge 1m;\n$http";
    }

    for my $default ('inlets_domain example.com;',
                     "inlets_token $Inlets::Test::SECRET;")
    {
        my ($name) = $default =~ /^(\w+)/;
        my $config = defined $block->config ? $block->config : '';

        $http .= "\n$default" if "$http\n$config" !~ /\b$name\b/;
    }

    $block->set_value('http_config', $http);

    if (defined $block->client && $block->config !~ /\binlets_connect\b/) {
        $block->set_value('config',
            "location /_/ { inlets_connect edge; }\n" . $block->config);
    }

    if (!defined $block->no_error_log && !defined $block->must_die) {
        $block->set_value('no_error_log', "[alert]\n[emerg]\n[crit]");
    }
});


my $helper = $Test::Nginx::Util::RunTestHelper;

$Test::Nginx::Util::RunTestHelper = sub ($$$) {
    my ($block, $dry_run, $repeated) = @_;

    start_client($block) if defined $block->client && !$dry_run;

    $helper->($block, $dry_run, $repeated);

    if ($client) {
        $client->stop();
        undef $client;
    }
};


sub start_client {
    my ($block) = @_;
    my $want = defined $block->upstream ? $block->upstream : 'http';
    my @words = split ' ', $block->client;
    my $type = (grep { /^(?:http|tcp)$/ } @words)[0] || 'http';
    my @flags = grep { !/^(?:http|tcp)$/ } @words;

    $want =~ s/\s+//g;

    if (!$service || $kind ne $want) {
        $service->stop() if $service;
        $service = $holder->service($want);
        $kind = $want;
    }

    $client = $holder->client({ token => 1 }, 'client', '-r',
        "127.0.0.1:$ENV{TEST_NGINX_PORT}", @flags, $type,
        $service->upstream());

    $client->wait_up()
        or Test::More::diag($block->name . " - client is not up:\n"
                            . $client->output());
}


1;
