# ./package.ps1: dist\ gets one archive a system, each with a self-contained program that needs no .NET, and SHA256SUMS.

$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot
. (Join-Path $PSScriptRoot 'build\setup.ps1')
Assert-Dotnet
$python = Find-Python
Find-OptionalPackages

$version = (Get-Content python\version.txt -Raw).Trim()
$programs = @()
foreach ($runtime in 'linux-x64', 'win-x64') {
    Write-Host "Publishing for $runtime ..."
    $folder = Join-Path $PSScriptRoot "artifacts\package\$runtime"
    if (Test-Path $folder) { Remove-Item $folder -Recurse -Force }
    dotnet publish src\LatentBridge.Host -c Release -r $runtime --self-contained -p:LatentBridgeSingleFile=true "-p:LatentBridgeSystem=$runtime" -o $folder -nologo --verbosity quiet
    if ($LASTEXITCODE -ne 0) { exit 1 } # a trimming warning is an error
    $extension = if ($runtime -like 'win-*') { '.exe' } else { '' }
    Rename-Item (Join-Path $folder "LatentBridge.Host$extension") "latentbridge$extension"
    $programs += "$runtime=" + (Join-Path $folder "latentbridge$extension")
}

if (Test-Path dist) { Remove-Item dist -Recurse -Force }
Write-Host "Publishing the assembly for pythonnet ..."
$inProcess = Join-Path $PSScriptRoot "artifacts\package\inprocess"
if (Test-Path $inProcess) { Remove-Item -Recurse -Force $inProcess }
dotnet publish src\LatentBridge.InProcess -c Release -o $inProcess -nologo --verbosity quiet
if ($LASTEXITCODE -ne 0) { exit 1 }
& $python build\package.py $version dist @programs
exit $LASTEXITCODE
