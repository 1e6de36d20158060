using System.Text.Json;
using LatentBridge.EmbeddedPython;
using LatentBridge.Host.Compare;

namespace LatentBridge.Host.Tests.Commands;

public sealed class CompareCommandTests : IDisposable
{
    static readonly string? Python = FindPython();
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Theory]
    [InlineData("SD15_run8", "latent2rgb", "numpy")]
    [InlineData("Flux2_run8", "latent2rgb", "python")]
    [InlineData("Flux2_run8", "latent2rgb", "torch")]
    [InlineData("SD15_run8", "tiny", "torch")]
    public void What_comes_with_the_program_is_within_a_level_of_its_reference(string latent, string decoder, string against)
    {
        Require("numpy");
        Require(against == "torch" ? "torch" : "numpy");
        int exitCode = _run.Run("compare", CommandRun.Example(latent), "--decoders", decoder, "--against", against, "--json", "--runs", "1", "--python", Python!);

        Assert.Equal((ExitCode.Done, ""), (exitCode, _run.Error));
        using JsonDocument document = JsonDocument.Parse(_run.Output);
        JsonElement row = Assert.Single(document.RootElement.GetProperty("comparisons").EnumerateArray());
        Assert.InRange(row.GetProperty("maximum").GetInt32(), 0, 1);
        Assert.InRange(row.GetProperty("ssim").GetDouble(), 0.999, 1);
        Assert.True(row.GetProperty("within").GetBoolean());
        Assert.True(row.GetProperty("milliseconds").GetDouble() > 0);
    }

    [Fact]
    public void The_same_with_Python_inside_this_process()
    {
        string[] arguments = ["compare", CommandRun.Example("SD15_run8"), "--decoders", "tiny,latent2rgb", "--embedded", "--runs", "1"];
        Require("numpy");
        Require("torch");
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal((ExitCode.Done, ""), (_run.Run([.. arguments, "--python", Python!]), _run.Error));
            Assert.Contains("2 compared with Python", _run.Output, StringComparison.Ordinal);
            Assert.Contains("in this process", _run.Output, StringComparison.Ordinal);
        }

        PythonPlace other = new("/opt/other/python", "/opt/other/libpython.so", new(3, 12));
        Assert.Contains("a process has one Python; /opt/other/python can be used as a child", Assert.Throws<LatentBridgeException>(() => HostedPython.Start(other, "")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_interpreter_that_cannot_run_inside_is_named_with_what_it_lacks()
    {
        var error = Assert.Throws<LatentBridgeException>(() => PythonPlace.Find([Path.Combine(_run.Folder, "python")], ["numpy"]));
        Assert.Contains(Path.Combine(_run.Folder, "python"), error.Message, StringComparison.Ordinal);
        Assert.Contains("shared library", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_weight_file_is_within_a_level_of_its_reference()
    {
        Require("torch");
        string models = TestData("models");
        string latent = _run.WriteNpy("a.npy", [.. Enumerable.Range(0, 4 * 16 * 16).Select(i => MathF.Sin(i * 0.37f) * 3)], 1, 4, 16, 16);
        int exitCode = _run.Run("compare", latent, "--format", "SD15", "--models", models, "--json", "--runs", "1", "--python", Python!);

        Assert.Equal((ExitCode.Done, ""), (exitCode, _run.Error));
        using JsonDocument document = JsonDocument.Parse(_run.Output);
        string?[] decoders = [.. document.RootElement.GetProperty("comparisons").EnumerateArray().Select(row => row.GetProperty("decoder").GetString())];
        Assert.All((string[])["taesd", "taesd-half", "tiny", "latent2rgb", "mlp:decoder_sd1.5"], id => Assert.Contains(id, decoders));
    }

    [Fact]
    public void Networks_are_within_a_level_of_themselves_in_ONNX_Runtime()
    {
        string[] arguments = ["compare", CommandRun.Example("SD15_run8"), "--decoders", "tiny", "--against", "onnx", "--runs", "1"];
        Assert.Equal((ExitCode.Done, ""), (_run.Run(arguments), _run.Error));
        Assert.Contains("1 compared with ONNX Runtime", _run.Output, StringComparison.Ordinal);

        string model = Path.Combine(_run.Folder, "given.onnx");
        Assert.Equal(ExitCode.Done, _run.Run("models", "convert", Path.Combine(CommandRun.Root, "models", "tiny", "tiny-sd1.safetensors"), "--output", model));
        string report = Path.Combine(_run.Folder, "report.html");
        Assert.Equal(ExitCode.Done, _run.Run([.. arguments[..^3], model, "--report", report]));
        Assert.Contains("given.onnx", _run.Output, StringComparison.Ordinal);
        Assert.Contains("<h1>C# against ONNX Runtime</h1>", File.ReadAllText(report), StringComparison.Ordinal);

        Assert.Equal(ExitCode.Failed, _run.Run("compare", CommandRun.Example("SD15_run8"), "--decoders", "latent2rgb", "--against", model));
        Assert.Contains("latent2rgb: not compared: ONNX Runtime has no reference for it", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_compared_with_must_be_known_and_there()
    {
        Assert.Equal(ExitCode.Usage, _run.Run("compare", CommandRun.Example("SD15_run8"), "--against", "jax"));
        Assert.Contains("python, numpy, torch, diffusers, onnx are, and ONNX models", _run.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, _run.Run("compare", CommandRun.Example("SD15_run8"), "--against", "/no/such/model.onnx"));
        Assert.Contains("model.onnx\" does not exist", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_diffusers_the_message_says_what_to_install()
    {
        Require("numpy");
        if (Has(Python!, "diffusers"))
        {
            Assert.Skip("diffusers is installed here.");
        }

        Assert.Equal(ExitCode.Failed, _run.Run("compare", CommandRun.Example("SD15_run8"), "--against", "diffusers", "--python", Python!));
        Assert.Contains("No Python with diffusers was found", _run.Error, StringComparison.Ordinal);
        Assert.Contains("pip install diffusers", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_AutoencoderTiny_of_diffusers_gets_its_weights_under_its_own_names()
    {
        Require("torch");
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("The stand-in for diffusers is put in place by a shell script.");
            return;
        }

        // AutoencoderTiny as diffusers has it: layers without the clamp, which is part of decode, and pictures of -1..1.
        File.WriteAllText(Path.Combine(_run.Folder, "diffusers.py"), """
            from types import SimpleNamespace
            import torch
            from latentbridge.reference import taesd

            class Decoder(torch.nn.Module):
                def __init__(self, channels):
                    super().__init__()
                    self.layers = torch.nn.Sequential(*list(taesd.decoder(channels))[1:])

            class AutoencoderTiny(torch.nn.Module):
                def __init__(self, latent_channels):
                    super().__init__()
                    self.decoder = Decoder(latent_channels)

                def decode(self, x):
                    return SimpleNamespace(sample=self.decoder.layers(torch.tanh(x / 3) * 3) * 2 - 1)
            """);
        string python = Path.Combine(_run.Folder, "python");
        File.WriteAllText(python, $"#!/bin/sh\nPYTHONPATH={_run.Folder} exec {Python} \"$@\"\n");
        File.SetUnixFileMode(python, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        string latent = _run.WriteNpy("a.npy", [.. Enumerable.Range(0, 4 * 8 * 8).Select(i => MathF.Sin(i * 0.37f) * 3)], 1, 4, 8, 8);
        int exitCode = _run.Run("compare", latent, "--format", "SD15", "--models", TestData("models"), "--against", "diffusers", "--python", python);
        Assert.Equal((ExitCode.Done, ""), (exitCode, _run.Error));
        Assert.Contains("diffusers of unknown version", _run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_is_summed_up_and_the_report_holds_its_pictures_and_loads_nothing()
    {
        Require("numpy");
        File.Copy(CommandRun.Example("SD15_run8"), Path.Combine(_run.Folder, "a & b.safetensors"));
        _run.WriteNpy("c.npy", [.. Enumerable.Range(0, 4 * 12 * 12).Select(i => MathF.Sin(i) * 4)], 4, 12, 12);
        string report = Path.Combine(_run.Folder, "report.html");
        int exitCode = _run.Run("compare", _run.Folder, "--format", "SD15", "--decoders", "latent2rgb", "--report", report, "--python", Python!);

        Assert.Equal(ExitCode.Done, exitCode);
        Assert.Contains("2 compared with Python", _run.Output, StringComparison.Ordinal);
        string page = File.ReadAllText(report);
        Assert.Contains("a &amp; b.safetensors", page, StringComparison.Ordinal);
        Assert.Contains("data:image/png;base64,", page, StringComparison.Ordinal);
        Assert.DoesNotContain("{{", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.Ordinal);
        Assert.Equal(2, page.Split("<article").Length - 1);
    }

    [Fact]
    public void Beyond_the_tolerance_the_exit_code_is_1()
    {
        Require("numpy");
        string shim = Path.Combine(CommandRun.Root, "python", "latentbridge");

        // A reference that is wrong by a few levels: the whole package with one decoder changed, given in place of ours.
        string folder = Path.Combine(_run.Folder, "changed");
        foreach (string file in Directory.GetFiles(shim, "*.*", SearchOption.AllDirectories).Where(file => Path.GetExtension(file) is ".py" or ".json"))
        {
            string copy = Path.Combine(folder, "latentbridge", Path.GetRelativePath(shim, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        File.Copy(Path.Combine(shim, "..", "version.txt"), Path.Combine(folder, "version.txt"));
        File.AppendAllText(Path.Combine(folder, "latentbridge", "reference", "pixels.py"), "\n\ndef latent2rgb(x0, _):\n    return numpy.zeros((3, *x0.shape[1:]))\n");
        string python = Path.Combine(_run.Folder, "python");
        File.WriteAllText(python, $"#!/bin/sh\nexec {Python} \"$1\" \"$2\" \"$3\" \"$4\" {folder}\n");
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("The changed Python is a shell script.");
            return;
        }

        File.SetUnixFileMode(python, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        string[] arguments = ["compare", CommandRun.Example("SD15_run8"), "--decoders", "latent2rgb", "--python", python];
        Assert.Equal(ExitCode.Failed, _run.Run(arguments));
        Assert.Contains("1 beyond 1.", _run.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, _run.Run([.. arguments, "--tolerance", "255"]));
    }

    [Fact]
    public void A_Python_that_cannot_help_is_named_with_what_helps()
    {
        Assert.Equal(ExitCode.Failed, _run.Run("compare", CommandRun.Example("SD15_run8"), "--python", "/no/such/python"));
        Assert.Contains("/no/such/python", _run.Error, StringComparison.Ordinal);
        Assert.Contains("pip install numpy torch", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_Python_without_NumPy_and_PyTorch_is_named_with_what_to_install()
    {
        if (Python is null || OperatingSystem.IsWindows())
        {
            Assert.Skip("A Python without its packages is made by a shell script, of a Python that has some.");
            return;
        }

        // Neither site-packages nor what is installed for the user.
        string bare = Path.Combine(_run.Folder, "python");
        File.WriteAllText(bare, $"#!/bin/sh\nexec {Python} -I -S \"$@\"\n");
        File.SetUnixFileMode(bare, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.Equal(ExitCode.Failed, _run.Run("compare", CommandRun.Example("SD15_run8"), "--python", bare));
        Assert.Contains("No Python with numpy or torch was found (Python", _run.Error, StringComparison.Ordinal);
        Assert.Contains($"no library of the references ({bare})", _run.Error, StringComparison.Ordinal);
        Assert.Contains("python -m pip install numpy torch", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_has_no_reference_is_said_and_an_unreadable_file_spoils_no_other()
    {
        Require("numpy");
        File.WriteAllText(Path.Combine(_run.Folder, "a.npy"), "no");
        Assert.Equal(ExitCode.Failed, _run.Run("compare", CommandRun.Example("SD15_run8"), "--decoders", "estimated", "--python", Python!));
        Assert.Contains("estimated: not compared: Python has no reference for it", _run.Error, StringComparison.Ordinal);
        int exitCode = _run.Run("compare", _run.Folder, CommandRun.Example("SD15_run8"), "--decoders", "latent2rgb", "--python", Python!);
        Assert.Equal(ExitCode.Usage, exitCode);
        Assert.Contains("a.npy", _run.Error, StringComparison.Ordinal);
        Assert.Contains("1 compared with Python", _run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Differences_are_those_of_a_picture_worked_out_by_hand()
    {
        PictureDifference difference = PictureDifference.Between(
            new([10, 10, 10, 20, 20, 20], 2, 1), new([10, 12, 10, 20, 20, 13], 2, 1));
        Assert.Equal((7, 1.5, 7), (difference.Maximum, difference.Mean, difference.Percentile999));
        Assert.Equal((4, 1, 1), (difference.Histogram[0], difference.Histogram[2], difference.Histogram[7]));
        Assert.Equal(10 * Math.Log10(255.0 * 255 * 6 / 53), difference.Psnr, 9);
        Assert.Null(difference.Ssim);
    }

    static void Require(string library)
    {
        if (Python is null || (library == "torch" && !Has(Python, "numpy, torch")))
        {
            Assert.Skip($"No Python with {library} was found; LATENTBRIDGE_PYTHON can name one.");
        }
    }

    static string TestData(string name)
    {
        string folder = Path.Combine(Environment.GetEnvironmentVariable("LATENTBRIDGE_TEST_DATA") ?? Path.Combine(CommandRun.Root, "..", "shared"), name);
        if (!Directory.Exists(folder))
        {
            Assert.Skip($"No test data: {folder} is not there.");
        }

        return folder;
    }

    static string? FindPython()
    {
        string[] all = [.. Host.Python.PythonInterpreter.FindAll()];
        return all.FirstOrDefault(path => Has(path, "numpy, torch")) ?? all.FirstOrDefault(path => Has(path, "numpy"));
    }

    static bool Has(string python, string modules)
    {
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(python, ["-c", $"import {modules}"]) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
