# ./run.ps1                 builds when needed and runs the demo: example latents through the real bridge, pictures into out\demo\
# ./run.ps1 COMMAND ...     the command line: decode, inspect, models, bench, doctor, serve; see ./run.ps1 --help
#
# Where Windows runs no scripts: powershell -ExecutionPolicy Bypass -File run.ps1 COMMAND ...

$root = $PSScriptRoot
$program = Join-Path $root 'artifacts\bin\LatentBridge.Host\release\LatentBridge.Host.exe'
$stamp = Join-Path $root 'artifacts\run.stamp' # as old as the start of the last good build

function Test-Built {
    if (-not ((Test-Path $program) -and (Test-Path $stamp))) { return $false }
    $built = (Get-Item $stamp).LastWriteTimeUtc
    $sources = @('src', 'models\formats', 'models\manifest.json', 'python\version.txt', 'Directory.Build.props', 'Directory.Packages.props', 'global.json')
    foreach ($source in $sources) {
        $item = Get-Item (Join-Path $root $source)
        $all = @($item)
        if ($item.PSIsContainer) { $all += Get-ChildItem $item -Recurse }
        if ($all | Where-Object { $_.LastWriteTimeUtc -gt $built } | Select-Object -First 1) { return $false }
    }
    return $true
}

function Build {
    Assert-Dotnet
    $started = [DateTime]::UtcNow
    [Console]::Error.WriteLine('Building (once) ...')
    $log = Join-Path $root 'artifacts\run.log'
    $code = Invoke-Limited 1200 $log 'dotnet' @('build', (Join-Path $root 'src\LatentBridge.Host'), '-c', 'Release', '--verbosity', 'quiet', '-nologo')
    if ($code -ne 0) {
        Get-Content $log | ForEach-Object { [Console]::Error.WriteLine($_) }
        [Console]::Error.WriteLine('The build failed; the lines above say why.')
        exit 1
    }
    New-Item $stamp -ItemType File -Force | Out-Null
    (Get-Item $stamp).LastWriteTimeUtc = $started
}

. (Join-Path $root 'build\setup.ps1')
try {
    if (-not (Test-Built)) {
        Invoke-Locked (Join-Path $root 'artifacts\run.lock') { if (-not (Test-Built)) { Build } }
    }

    # The program looks for .NET at the system's places and in DOTNET_ROOT; one that is only on PATH is named to it.
    $dotnet = Get-Command dotnet -ErrorAction SilentlyContinue | Select-Object -First 1
    if (-not $env:DOTNET_ROOT -and $dotnet -and (Test-Path (Join-Path (Split-Path $dotnet.Source) 'shared\Microsoft.NETCore.App\10.*'))) {
        $env:DOTNET_ROOT = Split-Path $dotnet.Source
    }
    # .NET's diagnostics would leave their pipes behind when the program is killed.
    if (-not $env:DOTNET_EnableDiagnostics) { $env:DOTNET_EnableDiagnostics = '0' }

    $global:LASTEXITCODE = 1 # of a program that cannot be started
    if ($args.Count -eq 0) { & $program demo } else { & $program @args }
} catch {
    [Console]::Error.WriteLine($_.Exception.Message)
    $global:LASTEXITCODE = 1
} finally {
    Restore-Session
}
exit $LASTEXITCODE
