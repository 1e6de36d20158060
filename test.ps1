# Every test, C# and Python, with one closing line: N passed, N failed, N skipped. Exit code 1 when one failed. See test.sh for what a leg is.

Set-Location $PSScriptRoot
. (Join-Path $PSScriptRoot 'build\setup.ps1')
Assert-Dotnet
$python = Find-Python

$results = Join-Path $PSScriptRoot 'artifacts\test-results'
if (Test-Path $results) { Remove-Item $results -Recurse -Force }
New-Item $results -ItemType Directory -Force | Out-Null

# Runs a command with $leg naming its results folder; the exit code goes into that folder.
function Invoke-Leg([string]$name, [scriptblock]$command) {
    $leg = Join-Path $results $name
    New-Item $leg -ItemType Directory -Force | Out-Null
    Write-Host "--- $name"
    $output = & $command 2>&1
    $code = $LASTEXITCODE
    $output | Out-File (Join-Path $leg 'output.txt') -Encoding utf8
    Set-Content (Join-Path $leg 'exit-code') $code
    if ($code -notin 0, 77) { $output | Out-Host }
    & $python build\test_summary.py $leg | ForEach-Object { Write-Host "    $_" }
    return $code
}

$built = Invoke-Leg 'build' { dotnet build LatentBridge.sln -c Release -nologo --verbosity quiet }
if ($built -eq 0) {
    $null = Invoke-Leg 'csharp' { dotnet test LatentBridge.sln -c Release --no-build --logger 'trx;LogFilePrefix=tests' --results-directory $leg }
    $null = Invoke-Leg 'python' { & $python build\python_tests.py (Join-Path $leg 'python.json') }

    $program = 'artifacts\bin\LatentBridge.Tests\release\LatentBridge.Tests.exe'
    $settings = @(
        'LATENTBRIDGE_FORCE_KERNEL=scalar', 'LATENTBRIDGE_FORCE_KERNEL=vector128', 'LATENTBRIDGE_FORCE_KERNEL=vector256',
        'LATENTBRIDGE_FORCE_KERNEL=vector512', 'DOTNET_EnableHWIntrinsic=0', 'DOTNET_EnableAVX2=0', 'DOTNET_EnableAVX512=0')
    foreach ($setting in $settings) {
        $variable, $value = $setting -split '='
        Set-Item "env:$variable" $value
        $null = Invoke-Leg "kernels-$variable-$value" { & $program -trait Category=Kernels -trx (Join-Path $leg 'kernels.trx') }
        Remove-Item "env:$variable"
    }

    $null = Invoke-Leg 'format' { dotnet format LatentBridge.sln --verify-no-changes --no-restore --exclude artifacts }
    $null = Invoke-Leg 'trimmed-publish' {
        $log = dotnet publish src\LatentBridge.Host -c Release -r win-x64 --self-contained -p:LatentBridgeSingleFile=true -o (Join-Path $leg 'publish') -nologo --verbosity quiet 2>&1
        $log
        if ($log -match 'error NU11') { $global:LASTEXITCODE = 77 } elseif ($log -match 'warning') { $global:LASTEXITCODE = 1 }
    }
}

& $python build\test_summary.py @(Get-ChildItem $results -Directory | ForEach-Object { $_.FullName })
exit $LASTEXITCODE
