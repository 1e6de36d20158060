# Every test, C# and Python, with one closing line: N passed, N failed, N skipped. Exit code 1 when one failed. See test.sh for what a leg is.
#
# Where Windows runs no scripts: powershell -ExecutionPolicy Bypass -File test.ps1

. (Join-Path $PSScriptRoot 'build\setup.ps1')
try {
    Set-Location $PSScriptRoot
    Assert-Dotnet
    $python = Find-Python

    $results = Join-Path $PSScriptRoot 'artifacts\test-results'
    if (Test-Path $results) { Remove-Item $results -Recurse -Force }
    New-Item $results -ItemType Directory -Force | Out-Null

    # Runs a program for at most so many seconds. {leg} in its arguments is its results folder; the exit code goes into that folder.
    function Invoke-Leg([string]$name, [int]$seconds, [string]$program, [string[]]$arguments) {
        $leg = Join-Path $results $name
        New-Item $leg -ItemType Directory -Force | Out-Null
        Write-Host "--- $name"
        $output = Join-Path $leg 'output.txt'
        $code = Invoke-Limited $seconds $output $program @($arguments | ForEach-Object { $_.Replace('{leg}', $leg) })
        if ($name -eq 'trimmed-publish') { # it must come without a warning; skipped where the feed has no runtime pack
            if (Select-String 'error NU11' $output -Quiet) { $code = 77 } elseif (Select-String 'warning' $output -Quiet) { $code = 1 }
        }
        Set-Content (Join-Path $leg 'exit-code') $code
        if ($code -notin 0, 77) { Get-Content $output | Out-Host }
        & $python build\test_summary.py $leg | ForEach-Object { Write-Host "    $_" }
        return $code
    }

    $built = Invoke-Leg 'build' 1800 'dotnet' @('build', 'LatentBridge.sln', '-c', 'Release', '-nologo', '--verbosity', 'quiet')
    if ($built -eq 0) {
        foreach ($tests in Get-ChildItem artifacts\bin\*.Tests\release\*.Tests.exe) {
            $null = Invoke-Leg "csharp-$($tests.BaseName)" 600 $tests.FullName @('-trx', '{leg}\tests.trx')
        }
        $null = Invoke-Leg 'python' 900 $python @('build\python_tests.py', '{leg}\python.json')

        $program = Join-Path $PSScriptRoot 'artifacts\bin\LatentBridge.Tests\release\LatentBridge.Tests.exe'
        $settings = @(
            'LATENTBRIDGE_FORCE_KERNEL=scalar', 'LATENTBRIDGE_FORCE_KERNEL=vector128', 'LATENTBRIDGE_FORCE_KERNEL=vector256',
            'LATENTBRIDGE_FORCE_KERNEL=vector512', 'DOTNET_EnableHWIntrinsic=0', 'DOTNET_EnableAVX2=0', 'DOTNET_EnableAVX512=0')
        foreach ($setting in $settings) {
            $variable, $value = $setting -split '='
            Set-Item "env:$variable" $value
            $null = Invoke-Leg "kernels-$variable-$value" 300 $program @('-trait', 'Category=Kernels', '-trx', '{leg}\kernels.trx')
            Remove-Item "env:$variable"
        }

        $null = Invoke-Leg 'format' 300 'dotnet' @('format', 'LatentBridge.sln', '--verify-no-changes', '--no-restore', '--exclude', 'artifacts')
        $null = Invoke-Leg 'trimmed-publish' 600 'dotnet' @(
            'publish', 'src\LatentBridge.Host', '-c', 'Release', '-r', 'win-x64', '--self-contained', '-p:LatentBridgeSingleFile=true', '-o', '{leg}\publish',
            '-nologo', '--verbosity', 'quiet')
    }

    & $python build\test_summary.py @(Get-ChildItem $results -Directory | ForEach-Object { $_.FullName })
} finally {
    Restore-Session
}
exit $LASTEXITCODE
