# Dot-sourced by run.ps1, test.ps1 and package.ps1: finds what they need, or says precisely what to install.

$env:DOTNET_NOLOGO = '1'
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'

# The .NET 10 SDK is there, or the script ends.
function Assert-Dotnet {
    if ((Get-Command dotnet -ErrorAction SilentlyContinue) -and ((dotnet --list-sdks) -match '^10\.')) { return }
    Write-Host 'LatentBridge is built with the .NET 10 SDK, which was not found on PATH.'
    Write-Host '  winget install Microsoft.DotNet.SDK.10'
    Write-Host '  or https://dotnet.microsoft.com/download/dotnet/10.0'
    exit 1
}

# The path of a Python 3.10 or newer, or the script ends. The python.exe that only opens the store does not answer and is passed over.
function Find-Python {
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
