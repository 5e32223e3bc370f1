#!/usr/bin/perl

# The other tests once more, with both programs built with the address and
# undefined-behaviour sanitizers.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Inlets::Test ();

my $asan = "$Inlets::Test::BUILD/asan";

plan skip_all => 'this is such a run' if $Inlets::Test::BUILD =~ m{/asan/?$};
plan skip_all => 'no such build: make asan'
    if !-e "$asan/modules/ngx_http_inlets_module.so";

my %without = map { $_ => 1 } qw(sanitizers valgrind lint fuzz run);
my @files = grep { m{/(\w+)\.t$} && !$without{$1} } sort glob 't/*.t';

$ENV{INLETS_BUILD} = $asan;

for my $file (@files) {
    my $output = `$^X -It/lib $file 2>&1`;
    my $good = $? == 0;

    ok($good, "$file with sanitizers")
        or diag(join "\n", grep { !/^ok / } split /\n/, $output);
}

done_testing();
