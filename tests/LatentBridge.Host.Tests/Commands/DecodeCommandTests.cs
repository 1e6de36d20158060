using Newtonsoft.Json.Linq;

namespace LatentBridge.Host.Tests.Commands;

public sealed class DecodeCommandTests : IDisposable
{
    readonly CommandRun _run = new();

    public void Dispose() => _run.Dispose();

    [Fact]
    public void A_latent_becomes_a_picture_named_after_it_and_its_decoder()
    {
        Assert.Equal(0, _run.Run("decode", CommandRun.Example("SDXL_kodim04"), "-o", _run.Folder, "--decoder", "latent2rgb"));

        string picture = Path.Combine(_run.Folder, "SDXL_kodim04.latent2rgb.png");
        Assert.Equal((56, 88), CommandRun.PngSize(picture));
        Assert.StartsWith(picture, _run.Output);
        Assert.Equal("", _run.Error);
    }

    [Fact]
    public void On_a_terminal_the_result_is_a_table()
    {
        string file = _run.WriteNpy("nameless.npy", new float[4 * 8 * 8], 1, 4, 8, 8);
        Assert.Equal(0, _run.RunOnTerminal("decode", CommandRun.Example("SDXL_kodim04"), file, "-o", _run.Folder, "--decoder", "latent2rgb"));
        Assert.Contains("╭", _run.Output);
        Assert.Contains("picture", _run.Output);
        Assert.EndsWith("name the format to be sure", _run.Error.TrimEnd());
    }

    [Fact]
    public void Many_files_of_several_formats_give_each_the_picture_that_it_gives_alone()
    {
        string[] names = ["SDXL_kodim04", "SD15_kodim23", "SDXL_batch4", "SDXL_kodim23", "Flux2_kodim23"];
        string together = Path.Combine(_run.Folder, "together"), alone = Path.Combine(_run.Folder, "alone");
        foreach (string decoder in (string[])["tiny", "estimated"])
        {
            Assert.Equal(0, _run.Run(["decode", .. names.Select(CommandRun.Example), "-o", together, "--decoder", decoder]));
            foreach (string name in names)
            {
                Assert.Equal(0, _run.Run("decode", CommandRun.Example(name), "-o", alone, "--decoder", decoder));
            }
        }

        string[] pictures = Directory.GetFiles(alone);
        Assert.Equal(2 * 8, pictures.Length);
        Assert.All(pictures, picture => Assert.Equal(File.ReadAllBytes(picture), File.ReadAllBytes(Path.Combine(together, Path.GetFileName(picture)))));
    }

    [Fact]
    public void An_unreadable_file_among_many_does_not_stop_the_others()
    {
        string broken = Path.Combine(_run.Folder, "broken.npy");
        File.WriteAllText(broken, "nothing");
        Assert.Equal(2, _run.Run("decode", CommandRun.Example("SDXL_kodim04"), broken, CommandRun.Example("SDXL_kodim23"), "-o", _run.Folder, "--decoder", "latent2rgb"));
        Assert.Equal(2, Directory.GetFiles(_run.Folder, "*.png").Length);
    }

    [Fact]
    public void Size_is_the_longest_side()
    {
        Assert.Equal(0, _run.Run("decode", CommandRun.Example("SDXL_kodim04"), "-o", _run.Folder, "--decoder", "latent2rgb", "--size", "176"));
        Assert.Equal((112, 176), CommandRun.PngSize(Path.Combine(_run.Folder, "SDXL_kodim04.latent2rgb.png")));
    }

    [Fact]
    public void Too_little_memory_is_refused_with_what_is_needed_and_that_is_enough()
    {
        string file = CommandRun.Example("SDXL_kodim04");
        Assert.Equal(1, _run.Run("decode", file, "-o", _run.Folder, "--decoder", "tiny", "--memory", "1"));
        Assert.Empty(Directory.GetFiles(_run.Folder));
        string needed = _run.Error.Split("tiny needs ")[1].Split(' ')[0];
        Assert.Equal(0, _run.Run("decode", file, "-o", _run.Folder, "--decoder", "tiny", "--memory", needed));
    }

    [Fact]
    public void Auto_takes_a_decoder_that_needs_no_more_memory_than_allowed()
    {
        string file = CommandRun.Example("SDXL_kodim04");
        Assert.Equal(0, _run.Run("decode", file, "-o", _run.Folder, "--memory", "1"));
        Assert.DoesNotContain("tiny", _run.Output, StringComparison.Ordinal);
        Assert.Equal(0, _run.Run("decode", file, "-o", _run.Folder, "--memory", "1000"));
        Assert.Contains("tiny", _run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_files_of_one_name_do_not_overwrite_each_others_picture()
    {
        string other = Path.Combine(Directory.CreateDirectory(Path.Combine(_run.Folder, "other")).FullName, "SDXL_kodim04.safetensors");
        File.Copy(CommandRun.Example("SDXL_kodim04"), other);
        Assert.Equal(1, _run.Run("decode", CommandRun.Example("SDXL_kodim04"), other, "-o", _run.Folder, "-d", "latent2rgb"));
        Assert.Single(Directory.GetFiles(_run.Folder));
        Assert.Contains("was just written from", _run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_item_of_a_batch_is_a_picture_of_its_own()
    {
        Assert.Equal(0, _run.Run("decode", CommandRun.Example("SDXL_batch4"), "-o", _run.Folder, "--decoder", "latent2rgb"));
        Assert.Equal(
            ["SDXL_batch4.0.latent2rgb.png", "SDXL_batch4.1.latent2rgb.png", "SDXL_batch4.2.latent2rgb.png", "SDXL_batch4.3.latent2rgb.png"],
            Directory.GetFiles(_run.Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(4, Directory.GetFiles(_run.Folder).Select(file => Convert.ToHexString(File.ReadAllBytes(file))).Distinct().Count());
    }

    [Fact]
    public void One_item_of_a_batch_is_the_same_picture_as_among_all()
    {
        Assert.Equal(0, _run.Run("decode", CommandRun.Example("SDXL_batch4"), "-o", _run.Folder, "--decoder", "latent2rgb"));
        byte[] expected = File.ReadAllBytes(Path.Combine(_run.Folder, "SDXL_batch4.2.latent2rgb.png"));
        string folder = Path.Combine(_run.Folder, "one", "deeper");

        Assert.Equal(0, _run.Run("decode", CommandRun.Example("SDXL_batch4"), "-o", folder, "--decoder", "latent2rgb", "--item", "2"));
        Assert.Equal(expected, File.ReadAllBytes(Assert.Single(Directory.GetFiles(folder))));
    }

    [Fact]
    public void A_grid_is_one_picture_of_the_batch()
    {
        Assert.Equal(0, _run.Run("decode", CommandRun.Example("SDXL_batch4"), "-o", _run.Folder, "--decoder", "latent2rgb", "--grid"));
        Assert.Equal((128, 128), CommandRun.PngSize(Assert.Single(Directory.GetFiles(_run.Folder))));
    }

    [Fact]
    public void Json_is_one_document_that_names_decoder_source_and_size()
    {
        Assert.Equal(0, _run.Run("decode", CommandRun.Example("Flux2_kodim23"), "-o", _run.Folder, "--decoder", "latent2rgb", "--json"));

        JToken picture = Assert.Single(JObject.Parse(_run.Output)["pictures"]!);
        Assert.Equal("Flux2", picture["format"]);
        Assert.Equal("latent2rgb", picture["decoder"]);
        Assert.NotEqual("", (string)picture["source"]!);
        Assert.Equal((64, 64), ((int)picture["width"]!, (int)picture["height"]!));
        Assert.Equal(new FileInfo((string)picture["output"]!).Length, (long)picture["bytes"]!);
        Assert.Equal(false, picture["formatGuessed"]);
    }

    [Fact]
    public void A_guessed_format_is_said_aloud()
    {
        string file = _run.WriteNpy("nameless.npy", new float[4 * 8 * 8], 1, 4, 8, 8);
        Assert.Equal(0, _run.Run("decode", file, "-o", _run.Folder, "--decoder", "latent2rgb"));
        Assert.Contains("guessed as SD15", _run.Error);

        Assert.Equal(0, _run.Run("decode", file, "-o", _run.Folder, "--decoder", "latent2rgb", "--format", "sdxl"));
        Assert.Equal("", _run.Error);
        Assert.Contains("SDXL", _run.Output);
    }

    [Fact]
    public void Values_that_are_no_numbers_are_reported_and_still_give_a_picture()
    {
        var values = new float[4 * 8 * 8];
        values[5] = float.NaN;
        values[77] = float.PositiveInfinity;
        string file = _run.WriteNpy("nan.npy", values, 1, 4, 8, 8);

        Assert.Equal(0, _run.Run("decode", file, "-o", _run.Folder, "--decoder", "latent2rgb", "--format", "SD15"));
        Assert.Contains("2 values NaN or infinite", _run.Output);
        Assert.Equal((8, 8), CommandRun.PngSize(Path.Combine(_run.Folder, "nan.latent2rgb.png")));
    }

    [Fact]
    public void The_vae_scale_is_brought_to_the_samplers()
    {
        float[] vae = [.. Enumerable.Range(0, 4 * 8 * 8).Select(i => MathF.Sin(i) * 5)];
        string inVae = _run.WriteNpy("vae.npy", vae, 1, 4, 8, 8);
        string inSampler = _run.WriteNpy("sampler.npy", [.. vae.Select(value => value * 0.18215f)], 1, 4, 8, 8);

        Assert.Equal(0, _run.Run("decode", inVae, "-o", _run.Folder, "-d", "latent2rgb", "-f", "SD15", "--space", "vae"));
        Assert.Equal(0, _run.Run("decode", inSampler, "-o", _run.Folder, "-d", "latent2rgb", "-f", "SD15"));
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(_run.Folder, "sampler.latent2rgb.png")), File.ReadAllBytes(Path.Combine(_run.Folder, "vae.latent2rgb.png")));
    }

    [Fact]
    public void One_unreadable_file_among_several_does_not_stop_the_others()
    {
        string bad = Path.Combine(_run.Folder, "bad.safetensors");
        File.WriteAllText(bad, "not tensors");

        Assert.Equal(2, _run.Run("decode", bad, CommandRun.Example("SD15_kodim23"), "-o", _run.Folder, "--decoder", "latent2rgb"));
        Assert.Contains("bad.safetensors", _run.Error);
        Assert.True(File.Exists(Path.Combine(_run.Folder, "SD15_kodim23.latent2rgb.png")));
    }

    [Theory]
    [InlineData("is not known. Known are:", "--format", "SD99")]
    [InlineData("Available: ", "--decoder", "magic")]
    [InlineData("there is no item 1", "--item", "1")]
    [InlineData("expected an integer from 0 to 16384", "--size", "16385")]
    [InlineData("expected one of auto, first, middle, last or an integer from 0", "--frame", "second")]
    [InlineData("png", "--encode", "bmp")]
    [InlineData("there is no tensor", "--key", "nothing")]
    public void Wrong_usage_ends_with_2_and_says_what_was_expected(string expected, string option, string value)
    {
        Assert.Equal(2, _run.Run("decode", CommandRun.Example("SD15_kodim23"), "-o", _run.Folder, option, value));
        Assert.Contains(expected, _run.Error);
        Assert.Equal("", _run.Output);
        Assert.Empty(Directory.GetFiles(_run.Folder));
    }

    [Fact]
    public void A_file_that_is_not_there_ends_with_2_and_is_named()
    {
        Assert.Equal(2, _run.Run("decode", Path.Combine(_run.Folder, "missing.latent"), "-o", _run.Folder));
        Assert.Contains("missing.latent", _run.Error);
    }

    [Fact]
    public void A_folder_that_cannot_be_written_ends_with_1()
    {
        string file = Path.Combine(_run.Folder, "file");
        File.WriteAllText(file, "");
        Assert.Equal(1, _run.Run("decode", CommandRun.Example("SD15_kodim23"), "-o", file, "--decoder", "latent2rgb"));
        Assert.Contains(file, _run.Error);
    }
}
