#!/usr/bin/perl

# The example configurations are good, and so is the order of the modules.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Inlets::Test;

my $t = Inlets::Test->new();
my ($crt, $key) = $t->certificate();
my $load = join '', map { "load_module $_;\n" } Inlets::Test::modules();

$t->file('token.conf', "inlets_token secret;\n");

for my $name ('conf/edge.conf', 'docker/edge.conf') {
    my $text = $t->read_file("$Inlets::Test::TOP/$name");

    ok($text, "$name is there");

    $text =~ s/^load_module.*\n//mg;
    $text =~ s/^(?:user|pid|worker_rlimit_nofile) .*\n//mg;
    $text =~ s{^error_log\s+\S+}{error_log %%TESTDIR%%/error.log}mg;
    $text =~ s{/etc/ssl/example\.com\.crt}{$crt};
    $text =~ s{/etc/ssl/private/example\.com\.key}{$key};
    $text =~ s{include(\s+)\S+token\.conf}{include$1%%TESTDIR%%/token.conf};
    $text =~ s{access_log\s+\S+;\n}{};
    $text =~ s{access_log\s+\S+ }{access_log %%TESTDIR%%/access.log };
    $text =~ s{^http \{}{http \{\n%%HTTP%%}m;
    $text =~ s{\b(listen\s+(?:\[::\]:)?)(\d+)((?:-\d+)?)}
              {$1 . ($2 < 1024 ? $2 + 10000 : $2) . $3}ge;

    my ($good, $said) = $t->test_conf("$load\npid %%TESTDIR%%/x.pid;\n$text");

    ok($good, "nginx -t takes $name") or diag($said);
}


my ($good, $said) = $t->test_conf(<<"END");
$load
pid %%TESTDIR%%/x.pid;
error_log %%TESTDIR%%/error.log debug;
events { }
END

ok($good, 'modules load without http and stream') or diag($said);

SKIP: {
    skip 'the stream module is not there', 2
        if grep(m{/ngx_.*_inlets}, Inlets::Test::modules()) < 2;

    my ($bad, $why) = $t->test_conf(
        join('', map { "load_module $_;\n" }
                     grep { !m{/ngx_http_inlets} } Inlets::Test::modules())
        . "pid %%TESTDIR%%/x.pid;\nevents { }\n");

    ok(!$bad, 'the stream module needs the HTTP module');
    like($why, qr/undefined symbol/, 'and nginx says so');
}

$t->finish();
