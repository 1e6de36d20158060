# Dot-sourced by run.ps1 and test.ps1: finds what they need, or says precisely what to install. Works in Windows PowerShell 5.1 too:
# there, a program's redirected stderr is an error where $ErrorActionPreference is Stop.

$sessionVariables = @{}
Get-ChildItem env: | ForEach-Object { $sessionVariables[$_.Name] = $_.Value }
Push-Location

# Gives the session back its folder and its environment variables as they were.
function Restore-Session {
    Pop-Location
    foreach ($name in @(Get-ChildItem env: | ForEach-Object { $_.Name })) {
        if (-not $sessionVariables.ContainsKey($name)) { Remove-Item "env:$name" }
        elseif ((Get-Item "env:$name").Value -cne $sessionVariables[$name]) { Set-Item "env:$name" $sessionVariables[$name] }
    }
}

# Runs a program for at most so many seconds, its output in a file; its exit code, 124 when it took longer and was ended, 127 when it cannot be started.
function Invoke-Limited([int]$seconds, [string]$output, [string]$program, [string[]]$arguments) {
    $quoted = @($arguments | ForEach-Object { if ($_ -match '[\s"]') { '"' + ($_ -replace '(\\*)"', '$1$1\"' -replace '(\\+)$', '$1$1') + '"' } else { $_ } })
    try {
        $process = Start-Process $program $quoted -NoNewWindow -PassThru -RedirectStandardOutput $output -RedirectStandardError "$output.errors"
        $null = $process.Handle # without it, no exit code
    } catch {
        "$program cannot be started: $_" | Out-File $output -Encoding utf8
        return 127
    }
    $ended = $process.WaitForExit($seconds * 1000)
    if (-not $ended) { Stop-Tree $process }
    $process.WaitForExit()
    Get-Content "$output.errors" | Add-Content $output
    Remove-Item "$output.errors"
    if ($ended) { return $process.ExitCode }
    "It took longer than $seconds s and was ended." | Add-Content $output
    return 124
}

# Ends a process with all that it started.
function Stop-Tree($process) {
    if ($process.PSObject.Methods['Kill'].OverloadDefinitions -match 'bool') { $process.Kill($true) }
    else { taskkill /T /F /PID $process.Id | Out-Null } # the .NET of Windows PowerShell knows no trees
}

# Runs a block while no other script of this clone does; waits for it at most ten minutes.
function Invoke-Locked([string]$file, [scriptblock]$block) {
    New-Item (Split-Path $file) -ItemType Directory -Force | Out-Null
    $end = [DateTime]::UtcNow.AddMinutes(10)
    while ($true) {
        try {
            $lock = [IO.File]::Open($file, 'OpenOrCreate', 'ReadWrite', 'None')
            break
        } catch [IO.IOException] {
            if ([DateTime]::UtcNow -gt $end) { throw "Another build holds $file for ten minutes; end it and try again." }
            Start-Sleep -Milliseconds 200
        }
    }
    try { & $block } finally { $lock.Dispose() }
}

$env:DOTNET_NOLOGO = '1'
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'

function Test-Dotnet { [bool]((Get-Command dotnet -ErrorAction SilentlyContinue) -and ((dotnet --list-sdks) -match '^10\.')) }

# The .NET 10 SDK is there, or the script ends. Where it is missing, Microsoft's installer puts it into .dotnet of the clone; nothing else of the machine changes.
function Assert-Dotnet {
    if (Test-Dotnet) { return }
    $clone = Split-Path $PSScriptRoot
    $folder = Join-Path $clone '.dotnet'
    $env:PATH = "$folder;$env:PATH"
    if (Test-Dotnet) { return }
    $source = 'https://dot.net/v1/dotnet-install.ps1'
    Write-Host "The .NET 10 SDK is missing. Getting it with $source into $folder (about 800 MB; delete the folder to undo) ..."
    try {
        [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
        $installer = [scriptblock]::Create((Invoke-WebRequest $source -UseBasicParsing -TimeoutSec 60).Content)
        & $installer -JSonFile (Join-Path $clone 'global.json') -InstallDir $folder -NoPath | Out-Host
    } catch { Write-Host "That did not work: $_" }
    if (Test-Dotnet) { return }
    Write-Host 'LatentBridge is built with the .NET 10 SDK, which was not found on PATH.'
    Write-Host '  winget install Microsoft.DotNet.SDK.10'
    Write-Host '  or https://dotnet.microsoft.com/download/dotnet/10.0'
    exit 1
}

# The path of a Python 3.10 or newer, or the script ends. The python.exe that only opens the store does not answer and is passed over.
function Find-Python {
    $ErrorActionPreference = 'Continue'
    foreach ($name in @($env:LATENTBRIDGE_PYTHON, 'python', 'python3', 'py')) {
        if (-not $name) { continue }
        $command = Get-Command $name -ErrorAction SilentlyContinue
        if (-not $command) { continue }
        & $command.Source -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>$null
        if ($LASTEXITCODE -eq 0) {
            $env:LATENTBRIDGE_PYTHON = $command.Source
            return $command.Source
        }
    }
    Write-Host 'Python 3.10 or newer was not found on PATH.'
    Write-Host '  winget install Python.Python.3.13'
    Write-Host '  or https://www.python.org/downloads/'
    exit 1
}
