namespace LatentBridge.Networks;

/// <summary>
/// Winograd's F(4x4, 3x3): 16 neighbouring results of a 3x3 convolution from 36 products instead of 144.
/// </summary>
/// <remarks>
/// <code>
///   Y = At [ (G g Gt) * (Bt d B) ] A        g: 3x3 kernel, d: 6x6 inputs, Y: 4x4 outputs, *: element by element
///
///        | 1/4    0     0   |        | 4  0 -5  0  1  0 |
///        |-1/6  -1/6  -1/6  |        | 0 -4 -4  1  1  0 |        | 1  1  1  1  1  0 |
///   G  = |-1/6   1/6  -1/6  |   Bt = | 0  4 -4 -1  1  0 |   At = | 0  1 -1  2 -2  0 |
///        | 1/24  1/12  1/6  |        | 0 -2 -1  2  1  0 |        | 0  1  1  4  4  0 |
///        | 1/24 -1/12  1/6  |        | 0  2 -1 -2  1  0 |        | 0  1 -1  8 -8  1 |
///        |  0     0     1   |        | 0  4  0 -5  0  1 |
/// </code>
/// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015; points 0, 1, -1, 2, -2.) Summed over the
/// input channels, each of the 36 element positions is a matrix product: tiles x inputs by inputs x outputs.
/// <para>
/// A convolution after nearest-neighbour doubling needs only 25 of the 36: doubled inputs come in equal pairs,
/// d1 = d2 and d3 = d4, and row 2 of Bt is 4 (d1 - d2) - (d3 - d4) = 0.
/// </para>
/// </remarks>
static class Winograd
{
    /// <summary>Outputs of a tile along one side.</summary>
    public const int Tile = 4;

    /// <summary>Element positions of a transformed tile.</summary>
    public const int Positions = 36;

    /// <summary>The row and column of a transformed tile that is zero after doubling.</summary>
    public const int ZeroAfterDoubling = 2;

    /// <summary>Position row 1, column 1: adding the bias there adds it to all 16 outputs, as column 1 of At is all ones.</summary>
    public const int BiasPosition = 7;

    /// <summary>Whether a position takes part in a convolution after doubling.</summary>
    public static bool IsUsedAfterDoubling(int position) => position / 6 != ZeroAfterDoubling && position % 6 != ZeroAfterDoubling;
}
