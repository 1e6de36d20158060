using System.Buffers.Binary;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;

namespace LatentBridge.ImageSharp.Tests;

public sealed class PictureReaderTests
{
    /// <summary>EXIF 6: the camera was turned, so the picture's top is its left side and the file's lower left corner is seen in the upper left one.</summary>
    [Theory]
    [InlineData(1, 48, 32, 0)]
    [InlineData(3, 48, 32, 3)]
    [InlineData(6, 32, 48, 2)]
    [InlineData(8, 32, 48, 1)]
    public void A_photograph_is_turned_as_its_camera_says(int orientation, int width, int height, int upperLeft)
    {
        using Image<Rgb24> photograph = new(48, 32);
        Rgb24[] corners = [new(255, 0, 0), new(0, 255, 0), new(0, 0, 255), new(255, 255, 255)];
        for (int y = 0; y < 32; y++)
        {
            for (int x = 0; x < 48; x++)
            {
                photograph[x, y] = corners[(x / 24) + (2 * (y / 16))];
            }
        }

        photograph.Metadata.ExifProfile = new ExifProfile();
        photograph.Metadata.ExifProfile.SetValue(ExifTag.Orientation, (ushort)orientation);
        using MemoryStream file = new();
        photograph.SaveAsJpeg(file);

        (byte[] rgb, int readWidth, int readHeight) = PictureReader.Read(file.ToArray());
        Assert.Equal((width, height), (readWidth, readHeight));
        int corner = 3 * ((4 * width) + 4);
        Assert.Equal(corners[upperLeft].R, rgb[corner], 30.0);
        Assert.Equal(corners[upperLeft].G, rgb[corner + 1], 30.0);
        Assert.Equal(corners[upperLeft].B, rgb[corner + 2], 30.0);
    }

    [Fact]
    public void A_picture_of_too_many_pixels_is_refused_before_it_is_read()
    {
        using Image<Rgb24> small = new(8, 8);
        using MemoryStream stream = new();
        small.SaveAsBmp(stream);
        byte[] file = stream.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(18), 40000);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(22), 30000);
        Assert.Equal(
            "The picture has 40000 x 30000 pixels; at most 268435456 are accepted.",
            Assert.Throws<LatentBridgeException>(() => PictureReader.Read(file)).Message);
    }

    [Fact]
    public void What_is_no_picture_is_named_by_its_first_bytes() => Assert.StartsWith(
        "Not a picture: it begins with 00010203",
        Assert.Throws<LatentBridgeException>(() => PictureReader.Read([0, 1, 2, 3])).Message,
        StringComparison.Ordinal);
}
