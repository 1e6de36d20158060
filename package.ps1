# ./package.ps1: dist\ gets one archive a system, each with a self-contained program that needs no .NET, and SHA256SUMS.
#
# Where Windows runs no scripts: powershell -ExecutionPolicy Bypass -File package.ps1

$ErrorActionPreference = 'Stop'
. (Join-Path $PSScriptRoot 'build\setup.ps1')
$code = 1
try {
    Set-Location $PSScriptRoot
    Assert-Dotnet
    $python = Find-Python

    # Publishes a project, or the script ends; a trimming warning is an error.
    function Publish([string]$name, [string[]]$arguments) {
        Write-Host "Publishing $name ..."
        $log = Join-Path $PSScriptRoot 'artifacts\package.log'
        if ((Invoke-Limited 1800 $log 'dotnet' (@('publish') + $arguments + @('-c', 'Release', '-nologo', '--verbosity', 'quiet'))) -ne 0) {
            Get-Content $log | Out-Host
            exit 1
        }
    }

    $version = (Get-Content python\version.txt -Raw).Trim()
    $programs = @()
    New-Item artifacts\package -ItemType Directory -Force | Out-Null
    foreach ($runtime in 'linux-x64', 'win-x64') {
        $folder = Join-Path $PSScriptRoot "artifacts\package\$runtime"
        if (Test-Path $folder) { Remove-Item $folder -Recurse -Force }
        Publish "for $runtime" @('src\LatentBridge.Host', '-r', $runtime, '--self-contained', '-p:LatentBridgeSingleFile=true', '-o', $folder)
        $extension = if ($runtime -like 'win-*') { '.exe' } else { '' }
        Rename-Item (Join-Path $folder "LatentBridge.Host$extension") "latentbridge$extension"
        $programs += "$runtime=" + (Join-Path $folder "latentbridge$extension")
    }

    $inProcess = Join-Path $PSScriptRoot 'artifacts\package\inprocess'
    if (Test-Path $inProcess) { Remove-Item $inProcess -Recurse -Force }
    Publish 'the assembly for pythonnet' @('src\LatentBridge.InProcess', '-o', $inProcess)
    if (Test-Path dist) { Remove-Item dist -Recurse -Force }
    & $python build\package.py $version dist @programs
    $code = $LASTEXITCODE
} finally {
    Restore-Session
}
exit $code
