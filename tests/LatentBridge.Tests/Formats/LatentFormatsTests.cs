using System.Text.Json;
using LatentBridge.Formats;

namespace LatentBridge.Tests.Formats;

public sealed class LatentFormatsTests
{
    public static TheoryData<string> Ids => [.. LatentFormats.Ids];

    [Fact]
    public void The_catalogue_is_the_folder()
    {
        IEnumerable<string?> files = Directory.GetFiles(Path.Combine(TestData.RepositoryRoot, "models", "formats"), "*.json").Select(Path.GetFileNameWithoutExtension);
        Assert.Equal(files.Order(StringComparer.OrdinalIgnoreCase), LatentFormats.Ids);
        Assert.Equal(46, LatentFormats.Ids.Count);
        Assert.Equal(LatentFormats.Ids, LatentFormats.All.Select(format => format.Id));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_format_is_sound(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        Assert.Equal(id, format.Id);
        Assert.NotEmpty(format.Source);
        Assert.InRange(format.Channels, 1, 512);
        Assert.InRange(format.StreamChannels, 1, format.Channels);
        Assert.InRange(format.Dimensions, 1, 3);
        Assert.InRange(format.SpatialCompression, 1, 64);
        Assert.InRange(format.TemporalCompression, 1, 8192);
        Assert.Contains(format.Unpack, (int[])[1, 2]);
        Assert.Equal(format.StreamChannels, format.PlaneChannels * format.Unpack * format.Unpack);
        Assert.True(float.IsFinite(format.ScaleFactor) && format.ScaleFactor > 0);
        Assert.Equal(format.Process == LatentProcess.ShiftScale, format.ShiftFactor is not null);
        Assert.Equal(format.Process == LatentProcess.MeanStd, format.Mean is not null);
        Assert.Equal(format.Mean?.Count, format.Std?.Count);
        Assert.Equal(format.PixelSpace, format.SpatialCompression == 1);
        if (format is { Mean: { } mean, Std: { } std })
        {
            Assert.Equal(format.Channels, mean.Count);
            Assert.All(mean, value => Assert.True(float.IsFinite(value)));
            Assert.All(std, value => Assert.True(float.IsFinite(value) && value > 0));
        }

        Assert.Equal(format.RgbMaps.Count, format.RgbMaps.Select(map => map.Name).Distinct().Count());
        foreach (LatentRgbMap map in format.RgbMaps)
        {
            Assert.NotEmpty(map.Source);
            Assert.Equal(format.PlaneChannels, map.Channels);
            Assert.Equal(3, map.Bias.Length);
            Assert.All([.. map.Factors, .. map.Bias], value => Assert.InRange(value, -2, 2));
            Assert.Same(map, format.FindRgb(map.Name.ToUpperInvariant()));
        }
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Numbers_are_those_of_the_reference(string id)
    {
        using JsonDocument reference = JsonDocument.Parse(File.ReadAllBytes(TestData.Require("reference", "latent_formats.json")));
        JsonElement expected = reference.RootElement.GetProperty("comfyui").EnumerateArray().Single(entry => entry.GetProperty("name").GetString() == id);
        LatentFormat format = LatentFormats.Get(id);
        Assert.Equal(expected.GetProperty("latent_channels").GetInt32(), format.Channels);
        Assert.Equal(expected.GetProperty("latent_dimensions").GetInt32(), format.Dimensions);
        Assert.Equal(expected.GetProperty("spatial_downscale_ratio").GetInt32(), format.SpatialCompression);
        Assert.Equal(expected.GetProperty("temporal_downscale_ratio").GetInt32(), format.TemporalCompression);
        Assert.Equal(expected.GetProperty("scale_factor").GetSingle(), format.ScaleFactor);
        Assert.Equal(expected.GetProperty("taesd_decoder_name").GetString(), format.TinyAutoencoder);
        Assert.Equal(expected.GetProperty("source").GetString(), format.Source);
        Assert.Equal(Floats(expected.GetProperty("mean")), format.Mean);
        Assert.Equal(Floats(expected.GetProperty("std")), format.Std);
        JsonElement shift = expected.GetProperty("shift_factor");
        Assert.Equal(shift.ValueKind == JsonValueKind.Null ? null : shift.GetSingle(), format.ShiftFactor);
        LatentRgbMap? map = format.FindRgb(format.PixelSpace ? "identity" : "comfyui");
        Assert.Equal(Floats(expected.GetProperty("latent_rgb_factors")), map?.Factors.ToArray());
        Assert.Equal(Floats(expected.GetProperty("latent_rgb_factors_bias")) ?? (map is null ? null : new float[3]), map?.Bias.ToArray());
    }

    [Theory]
    [InlineData("SD15", "taesd")]
    [InlineData("SDXL", "taesdxl")]
    [InlineData("SD3", "taesd3")]
    [InlineData("Flux", "taef1")]
    [InlineData("Flux2", "taef2")]
    public void The_default_map_is_the_fitted_one_where_there_is_one(string id, string fit)
    {
        LatentRgbMap map = LatentFormats.Get(id).Rgb!;
        Assert.Equal("fitted", map.Name);
        using JsonDocument reference = JsonDocument.Parse(File.ReadAllBytes(TestData.Require("reference", "latent_rgb_fitted.json")));
        JsonElement expected = reference.RootElement.GetProperty("fits").GetProperty(fit);
        Assert.Equal(Floats(expected.GetProperty("factors_pm1")), map.Factors.ToArray());
        Assert.Equal(Floats(expected.GetProperty("bias_pm1")), map.Bias.ToArray());
        Assert.Equal(expected.GetProperty("heldout_psnr_db").GetDouble(), map.HeldOutPsnr);
    }

    [Theory]
    [InlineData("sdxl", "SDXL")]
    [InlineData("FLUX2", "Flux2")]
    [InlineData("Wan21", "Wan21")]
    public void An_id_is_found_in_any_case(string asked, string id) => Assert.Equal(id, LatentFormats.Find(asked)?.Id);

    [Fact]
    public void An_unknown_id_is_null_or_a_message_that_names_the_known_ones()
    {
        Assert.Null(LatentFormats.Find("SD16"));
        string message = Assert.Throws<LatentBridgeException>(() => LatentFormats.Get("SD16")).Message;
        Assert.Contains("\"SD16\"", message);
        Assert.Contains("SD15", message);
    }

    [Fact]
    public void A_format_file_that_is_not_one_is_a_message()
    {
        foreach (string json in (string[])["", "[]", "{}", "{\"id\":1}", "{\"id\":\"X\",\"channels\":\"4\"}"])
        {
            using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(json));
            Assert.Contains("\"X\"", Assert.Throws<LatentBridgeException>(() => LatentFormatReader.Read(stream, "X")).Message);
        }
    }

    static float[]? Floats(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Number => [element.GetSingle()],
        _ => [.. element.EnumerateArray().SelectMany(item => Floats(item)!)],
    };
}
