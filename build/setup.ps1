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

# Sets an environment variable for each optional package to true or false, by a trial restore of it; MSBuild reads environment variables as properties.
# One that is set already is left as it is. The answers are kept in artifacts\optional: a yes until Directory.Packages.props changes, a no for a day.
function Find-OptionalPackages {
    $root = Split-Path $PSScriptRoot
    $folder = Join-Path $root 'artifacts\optional'
    New-Item $folder -ItemType Directory -Force | Out-Null
    $versions = (Get-Item (Join-Path $root 'Directory.Packages.props')).LastWriteTimeUtc
    $packages = [ordered]@{
        LatentBridgeOnnx = 'Microsoft.ML.OnnxRuntime'
        LatentBridgeImageSharp = 'SixLabors.ImageSharp'
        LatentBridgePythonNet = 'pythonnet'
        LatentBridgePythonIncluded = 'Python.Included'
    }
    foreach ($name in $packages.Keys) {
        if (Test-Path "env:$name") { continue }
        $yes = Join-Path $folder "$name.yes"
        $no = Join-Path $folder "$name.no"
        $isKnown = ((Test-Path $yes) -and (Get-Item $yes).LastWriteTimeUtc -gt $versions) -or
            ((Test-Path $no) -and (Get-Item $no).LastWriteTimeUtc -gt [DateTime]::UtcNow.AddDays(-1))
        if (-not $isKnown) {
            Remove-Item $yes, $no -Force -ErrorAction SilentlyContinue
            $project = Join-Path $root 'build\optional\Optional.csproj'
            dotnet restore $project "-p:OptionalPackage=$($packages[$name])" "-p:ArtifactsPath=$(Join-Path $folder $name)" -nologo --verbosity quiet *> (Join-Path $folder "$name.log")
            New-Item $(if ($LASTEXITCODE -eq 0) { $yes } else { $no }) -ItemType File -Force | Out-Null
        }
        Set-Item "env:$name" $(if (Test-Path $yes) { 'true' } else { 'false' })
    }
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
