#!/usr/bin/perl

# The main paths once more, with the client under valgrind: no invalid access,
# nothing definitely lost.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Inlets::Test ();

plan skip_all => 'valgrind is missing' if !-x '/usr/bin/valgrind';
plan skip_all => 'this is a run with sanitizers'
    if $Inlets::Test::BUILD =~ m{/asan/?$};

my @files = grep { -e } map { "t/$_.t" } qw(http tcp hostile
                                                  reload);

plan skip_all => 'no test of the main paths' if !@files;

$ENV{INLETS_VALGRIND} = 1;

for my $file (@files) {
    my $output = `$^X -It/lib $file 2>&1`;
    my $good = $? == 0;

    ok($good, "$file with the client under valgrind")
        or diag(join "\n", grep { !/^ok / } split /\n/, $output);
}

done_testing();
